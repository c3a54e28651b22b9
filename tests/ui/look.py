#!/usr/bin/env python3
"""Looks at the pages of a flow run with headless Chromium, as README.md beside this file says.

It needs nothing but Python 3 and Chromium ($CHROMIUM, else `chromium`), to which it talks by two pipes.
"""

import argparse
import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

TABS = ["Logs", "TaskRuns", "SubflowRuns", "Artifacts", "Details", "Parameters"]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    # The graph is drawn by WebGL.
    "--enable-unsafe-swiftshader",
    "--window-size=1400,1400",
    "--remote-debugging-pipe",
]
# A page counts as complete when its text has not changed for so long.
QUIET_SECONDS = 1.5
PAGE_SECONDS = 25
REPLY_SECONDS = 60
# What a page says when it could not be shown.
ERRORS = ["Can't connect to Server API", "Something went wrong"]


class Browser:
    """Chromium, by its DevTools protocol: JSON messages on two pipes, each ended by a NUL."""

    def __init__(self, log):
        self.home = tempfile.mkdtemp(prefix="look-")
        self.last_id, self.received, self.session = 0, b"", None
        its_in, self.to_browser = os.pipe()
        self.from_browser, its_out = os.pipe()
        command = [os.environ.get("CHROMIUM", "chromium"), *FLAGS, f"--user-data-dir={self.home}", "about:blank"]
        # Chromium reads from 3 and writes to 4.
        redirect = f'exec "$@" 3<&{its_in} 4>&{its_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", redirect, "chromium", *command],
            pass_fds=(its_in, its_out),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        os.close(its_in)
        os.close(its_out)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            reply = self.next_message(method)
            if reply.get("id") == self.last_id:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]

    def next_message(self, method):
        while b"\0" not in self.received:
            if not select.select([self.from_browser], [], [], REPLY_SECONDS)[0]:
                raise TimeoutError(method)
            chunk = os.read(self.from_browser, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium has ended; see chromium.log")
            self.received += chunk
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def text(self):
        code = "document.body ? document.body.innerText : ''"
        return self.call("Runtime.evaluate", expression=code, returnByValue=True)["result"].get("value") or ""

    def open(self, url, wanted):
        """Opens a page, and returns its text once that has every wanted text and does not change any more."""
        self.call("Page.navigate", url=url)
        end, text, since = time.time() + PAGE_SECONDS, "", time.time()
        while time.time() < end:
            now = self.text()
            if now != text:
                text, since = now, time.time()
            elif text and time.time() - since > QUIET_SECONDS and all(want in flat(text) for want in wanted):
                break
            time.sleep(0.2)
        return flat(text)

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def flat(text):
    return " ".join(text.split())


def get(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


def edges(server, run):
    """The edges of the graph as `from->to`, by the names of the tasks without their suffixes."""
    nodes = {node["id"]: node for _, node in get(f"{server}/api/flow_runs/{run}/graph-v2")["nodes"]}
    name = lambda node: node["label"].rsplit("-", 1)[0]
    return {f"{name(node)}->{name(nodes[child['id']])}" for node in nodes.values() for child in node["children"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the server, such as http://127.0.0.1:4200")
    parser.add_argument("run", help="the id of the flow run")
    parser.add_argument("out", help="the folder for the pictures")
    parser.add_argument("--expect", action="append", default=[], metavar="PAGE=TEXT")
    options = parser.parse_args()
    server = re.sub(r"/(api)?/*$", "", options.url)
    wanted = {}
    for expected in options.expect:
        page, _, text = expected.partition("=")
        wanted.setdefault(page, []).append(flat(text))
    os.makedirs(options.out, exist_ok=True)
    try:
        get(f"{server}/api/flow_runs/{options.run}")
        by_run = {"flow_runs": {"id": {"any_": [options.run]}}}
        artifacts = get(f"{server}/api/artifacts/filter", by_run)
        found_edges = edges(server, options.run)
    except OSError as error:
        print(f"there is no such server or run: {error}")
        return 2

    pages = {tab: f"{server}/v2/runs/flow-run/{options.run}?tab={tab}" for tab in TABS}
    pages |= {it["key"]: f"{server}/v2/artifacts/artifact/{it['id']}" for it in artifacts if it.get("key")}
    missing = [f"graph: {edge}" for edge in wanted.pop("graph", []) if edge not in found_edges]
    missing += [f"{page}: there is no such page" for page in wanted if page not in pages]
    with open(os.path.join(options.out, "chromium.log"), "w") as log:
        browser = Browser(log)
        try:
            for page, url in pages.items():
                text = browser.open(url, wanted.get(page, []))
                with open(os.path.join(options.out, f"{page}.png"), "wb") as picture:
                    picture.write(browser.picture())
                missing += [f"{page}: {want}" for want in wanted.get(page, []) if want not in text]
                missing += [f"{page}: it says {error}" for error in ERRORS if error in text]
        finally:
            browser.close()
    for line in missing:
        print(line)
    print(f"{len(pages)} pages, pictures in {options.out}: {'something is missing' if missing else 'all is there'}")
    return 1 if missing else 0


sys.exit(main())
