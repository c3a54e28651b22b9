"""Runs a Prefect server until standard input closes.

The SDK starts this and keeps the other end of the pipe. However the SDK's process ends (a drop, a
panic, Ctrl-C, SIGKILL), the pipe closes, and this stops the server and removes its folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

home, command = sys.argv[1], sys.argv[2:]
# Ctrl-C in a terminal reaches every process of the foreground group: this one is in a group of its
# own, and the server in a session, with the children that it may have (Prefect 3.0).
server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def signal_server(number):
    try:
        os.killpg(server.pid, number)
    except ProcessLookupError:
        pass


asked_to_stop = threading.Event()


def stop_when_input_closes():
    while os.read(sys.stdin.fileno(), 4096):
        pass
    asked_to_stop.set()
    signal_server(signal.SIGINT)
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        pass
    signal_server(signal.SIGKILL)


threading.Thread(target=stop_when_input_closes, daemon=True).start()
status = server.wait()
signal_server(signal.SIGKILL)
# A server that died by itself leaves its folder, and the log in it, to whoever reports that.
if asked_to_stop.is_set():
    shutil.rmtree(home, ignore_errors=True)
sys.exit(0 if asked_to_stop.is_set() else 1)
