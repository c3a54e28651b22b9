"""Runs a program until standard input closes.

The SDK starts this and keeps the other end of the pipe. However the SDK's process ends (a drop, a
panic, Ctrl-C, SIGKILL), the pipe closes, and this stops the program and removes its folder. Meanwhile
it obeys `kill`, `stop` and `start`, a word a line, and prints `done` after each.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

home, command = sys.argv[1], sys.argv[2:]
# The program whose end is no surprise.
expected = None


def start():
    # Ctrl-C in a terminal reaches every process of the foreground group: this one is in a group of its
    # own, and the program in a session, with the children that it may have (Prefect 3.0). Its output is
    # the log, which is standard error here.
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    threading.Thread(target=watch, args=(program,), daemon=True).start()
    return program


def watch(program):
    program.wait()
    if program is not expected:
        # A program that died by itself leaves its folder, and the log in it, to whoever reports that.
        signal_group(program, signal.SIGKILL)
        os._exit(1)


def signal_group(program, number):
    try:
        os.killpg(program.pid, number)
    except ProcessLookupError:
        pass


def end(program, number):
    global expected
    expected = program
    # Its number may belong to another process by now.
    if program.poll() is not None:
        return
    signal_group(program, number)
    try:
        program.wait(timeout=5)
    except subprocess.TimeoutExpired:
        pass
    signal_group(program, signal.SIGKILL)
    program.wait()


running = start()
for line in sys.stdin:
    word = line.strip()
    if word == "start" and running.poll() is not None:
        running = start()
    elif word in ("kill", "stop"):
        end(running, signal.SIGKILL if word == "kill" else signal.SIGINT)
    print("done", flush=True)
end(running, signal.SIGINT)
shutil.rmtree(home, ignore_errors=True)
