#!/usr/bin/env python3
"""Look at a Prefect flow run in the server's own UI with headless Chromium. Standard library only.

look.py UI_OR_API_URL FLOW_RUN_ID OUT_DIR [--expect TEXT | --expect TAB=TEXT]... [--nodes N] [--ui v2|v1]

Writes OUT_DIR/{graph,Logs,TaskRuns,...}.png and .txt (the text one sees, document.body.innerText),
node-N.* (side panel after a click on a bar of the graph) and artifact-KEY.* (the artifact's own page).
Exit 0: all expected texts were seen; 1: some were not, or the UI showed an error; 2: nothing to look at.
TAB of --expect: Logs TaskRuns SubflowRuns Artifacts Details Parameters JobVariables graph artifact node.
"""
import argparse, base64, collections, json, os, re, select, shutil, struct, subprocess, sys, tempfile, time, urllib.request, zlib

TABS = {"Logs": "Logs", "TaskRuns": "Task Runs", "SubflowRuns": "Subflow Runs", "Artifacts": "Artifacts",
        "Details": "Details", "Parameters": "Parameters", "JobVariables": "Job Variables"}
FLAGS = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
         "--enable-unsafe-swiftshader", "--force-color-profile=srgb", "--window-size=1400,1400",
         "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"]


class Browser:  # DevTools protocol over two pipes (fd 3 in, fd 4 out; messages end with NUL)
    def __init__(self, log):
        self.home, self.n, self.buf, self.session = tempfile.mkdtemp(prefix="look-"), 0, b"", None
        child_in, self.w = os.pipe(); self.r, child_out = os.pipe()
        cmd = [os.environ.get("CHROMIUM", "chromium"), *FLAGS, "--user-data-dir=" + self.home, "about:blank"]
        sh = f'exec "$@" 3<&{child_in} 4>&{child_out}'
        # fds above 9 are bash's to name in a redirection, dash takes one digit only
        self.p = subprocess.Popen(["bash", "-c", sh, "chromium", *cmd], pass_fds=(child_in, child_out),
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(child_in); os.close(child_out)
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self("Page.enable")
        self("Emulation.setDeviceMetricsOverride", width=1400, height=1400, deviceScaleFactor=1, mobile=False)

    def __call__(self, method, **params):
        self.n += 1
        msg = {"id": self.n, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        os.write(self.w, json.dumps(msg).encode() + b"\0")
        end = time.time() + 60
        while True:
            while b"\0" not in self.buf:
                if not select.select([self.r], [], [], max(0, end - time.time()))[0]:
                    raise TimeoutError(method)
                chunk = os.read(self.r, 1 << 20)
                if not chunk:
                    raise RuntimeError("chromium ended; see chromium.log")
                self.buf += chunk
            one, self.buf = self.buf.split(b"\0", 1)
            got = json.loads(one)
            if got.get("id") == self.n:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']}")
                return got["result"]

    def js(self, code):
        got = self("Runtime.evaluate", expression=code, returnByValue=True)
        return got["result"].get("value")

    def text(self):
        return self.js("document.body ? document.body.innerText : ''") or ""

    def settle(self, want=(), seconds=25, quiet=1.5):
        """Until every wanted text is there and the text did not change for `quiet` seconds."""
        end, last, since = time.time() + seconds, None, time.time()
        while time.time() < end:
            now = self.text()
            if now != last:
                last, since = now, time.time()
            elif len(now) > 200 and time.time() - since > quiet and all(w in flat(now) for w in want):
                break
            time.sleep(0.2)
        return last or ""

    def png(self, clip=None):
        return base64.b64decode(self("Page.captureScreenshot", **({"clip": {**clip, "scale": 1}} if clip else {}))["data"])

    def click(self, x, y):
        self("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            time.sleep(0.05)

    def close(self):
        try:
            self.session = None; self("Browser.close")
        except Exception:
            pass
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill(); self.p.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def flat(text):
    return " ".join(text.split())


def added(before, after):
    """The lines of `after` that are not in `before`, each as often as it is new."""
    old, new = collections.Counter(before.splitlines()), []
    for line in after.splitlines():
        if old[line] > 0:
            old[line] -= 1
        else:
            new.append(line)
    return "\n".join(new)


def pixels(png):
    """Rows of (r,g,b) of an 8-bit RGB or RGBA PNG."""
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", body[:10]); bpp = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            data += body
        at += size + 12
    raw, stride, prev, rows = zlib.decompress(data), width * bpp, bytearray(width * bpp), []
    for y in range(height):
        f, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride if f else 0):
            a, b = line[i - bpp] if i >= bpp else 0, prev[i]
            c = prev[i - bpp] if i >= bpp else 0
            if f == 4:
                p = a + b - c; pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                add = a if pa <= pb and pa <= pc else b if pb <= pc else c
            else:
                add = (0, a, b, (a + b) >> 1)[f]
            line[i] = (line[i] + add) & 255
        prev = line
        rows.append([tuple(line[i:i + 3]) for i in range(0, stride, bpp)])
    return rows


def bars(rows):
    """The task bars: boxes of one saturated colour, 22-45 px high (the state bar at the bottom is 8). (x,y,w,h,#colour)"""
    found, seen = [], set()
    for y, row in enumerate(rows):
        for x, c in enumerate(row):
            if (x, y) in seen or max(c) - min(c) < 60:
                continue
            todo, box = [(x, y)], [x, y, x, y]
            seen.add((x, y))
            while todo:
                i, j = todo.pop()
                box = [min(box[0], i), min(box[1], j), max(box[2], i), max(box[3], j)]
                for k, l in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                    if 0 <= l < len(rows) and 0 <= k < len(rows[0]) and (k, l) not in seen and rows[l][k] == c:
                        seen.add((k, l)); todo.append((k, l))
            w, h = box[2] - box[0] + 1, box[3] - box[1] + 1
            if 22 <= h <= 45 and w >= 3:
                found.append((box[0], box[1], w, h, "#%02x%02x%02x" % c))
    return found


def api(base, path, body=None):
    req = urllib.request.Request(base + path, None if body is None else json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(req, timeout=20) as got:
        return json.load(got)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("url"); ap.add_argument("run"); ap.add_argument("out")
    ap.add_argument("--expect", action="append", default=[], metavar="[TAB=]TEXT")
    ap.add_argument("--nodes", type=int, help="task bars that must be drawn in the graph")
    ap.add_argument("--ui", choices=["v1", "v2"], help="default: v2 where the server has it")
    o = ap.parse_args()
    root = re.sub(r"/(api|v2)?/*$", "", o.url.rstrip("/"))
    os.makedirs(o.out, exist_ok=True)
    try:
        conf = api(root, "/ui-settings"); run = api(root, "/api/flow_runs/" + o.run)
    except OSError as e:
        print("no server with a UI, or no such run:", e); return 2
    if not conf.get("api_url", "").startswith("/") and conf["api_url"].rstrip("/") != root + "/api":
        print(f"the UI calls {conf['api_url']}, not {root}/api: start the server with PREFECT_UI_API_URL={root}/api"); return 2
    ui = o.ui or ("v2" if "v2" in conf.get("available_uis", []) else "v1")
    page = root + ("/v2" if ui == "v2" and "available_uis" in conf else "")
    wants = []
    for e in o.expect:
        tab, eq, rest = e.partition("=")
        wants.append((tab, flat(rest)) if eq and tab in (*TABS, "graph", "artifact", "node") else ("", flat(e)))
    seen, bad = {}, []

    def keep(name, text, png):
        seen[name] = flat(text)
        open(os.path.join(o.out, name + ".txt"), "w").write(text)
        open(os.path.join(o.out, name + ".png"), "wb").write(png)
        for sign in ("Can't connect to Server API", "Something went wrong"):
            if sign in seen[name]:
                bad.append(f"{name}: the page says: {sign}")

    b = Browser(open(os.path.join(o.out, "chromium.log"), "w"))
    try:
        for tab, label in TABS.items():
            want = [t for n, t in wants if n == tab]
            b("Page.navigate", url=f"{page}/runs/flow-run/{o.run}?tab={tab if ui == 'v2' else 'Logs'}")
            if ui == "v1":  # its Task Runs, Subflow Runs, Artifacts cannot be opened by URL
                b.settle([run["name"], label])
                b.js("[...document.querySelectorAll('[role=tab],.p-tab,.p-tabs button')].find(e=>e.innerText.trim()==%s)?.click()" % json.dumps(label))
            text = b.settle([run["name"], *want])
            on = b.js("document.querySelector('[role=tab][data-state=active],[role=tab][aria-selected=true],.p-tab__active')?.innerText")
            if (on or "").strip() != label:
                bad.append(f"{tab}: the open tab is {on!r}")
            keep(tab, text, b.png())
        # the graph: a canvas, so by pixels, by the API's own data, and by the side panel a click opens
        b("Page.navigate", url=f"{page}/runs/flow-run/{o.run}?tab=Details")
        b.settle([run["name"]]); time.sleep(2)
        rect = b.js("(()=>{const r=document.querySelector('canvas')?.getBoundingClientRect();return r&&{x:r.x,y:r.y,width:r.width,height:r.height}})()")
        data = api(root, f"/api/flow_runs/{o.run}/graph-v2")
        nodes = [n for _, n in data["nodes"]]
        edges = [f"{n['label']}->{dict(data['nodes'])[c['id']]['label']}" for n in nodes for c in n["children"]]
        drawn = []
        if not rect:
            bad.append("graph: no canvas")
        else:
            png = b.png(rect); drawn = bars(pixels(png))
            text = "\n".join(["nodes (API): " + ", ".join(f"{n['label']} {n['state_type']}" for n in nodes), "edges (API): " + ", ".join(edges),
                              "artifacts (API): " + ", ".join(a["key"] or "" for n in (data, *nodes) for a in n.get("artifacts", [])),
                              *(f"bar {c} at {x},{y} {w}x{h}" for x, y, w, h, c in drawn)])
            keep("graph", text, png)
            for i, (x, y, w, h, _) in enumerate(drawn[:10], 1):
                before = b.text()
                b.click(rect["x"] + x + w / 2, rect["y"] + y + h / 2)
                end = time.time() + 5
                while b.text() == before and time.time() < end:
                    time.sleep(0.2)
                text = b.settle(quiet=1)
                keep(f"node-{i}", added(before, text), b.png())
                b("Page.navigate", url=f"{page}/runs/flow-run/{o.run}?tab=Details"); b.settle([run["name"]]); time.sleep(2)
        if o.nodes is not None and len(drawn) != o.nodes:
            bad.append(f"graph: {len(drawn)} bars drawn, {o.nodes} expected")
        got = api(root, "/api/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [o.run]}}, "limit": 50})
        for a in [a for a in got if a["type"] != "result"][:10]:
            b("Page.navigate", url=f"{page}/artifacts/artifact/{a['id']}")
            keep("artifact-" + re.sub(r"\W", "-", a["key"] or a["id"]), b.settle([a["key"] or ""]), b.png())
    finally:
        b.close()
    for name, want in wants:
        if not any(want in text for n, text in seen.items() if not name or n == name or n.startswith(name + "-")):
            bad.append(f"not seen{' in ' + name if name else ''}: {want!r}")
    print(f"{ui} {page}/runs/flow-run/{o.run} {run['name']} {run['state_type']}: {len(seen)} pages, "
          f"{len(nodes)} nodes {len(edges)} edges by the API, {len(drawn)} bars drawn -> {o.out}")
    for line in bad:
        print("FAIL", line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
