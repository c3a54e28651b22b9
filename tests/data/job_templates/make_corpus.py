"""Write ../job_templates.json: how Prefect's worker renders job configurations.

Each case goes through the worker's own `resolve_for_flow_run`, that is, the
merge of the job variables and `from_template_and_values`, unmodified. Only
the class at the end is ours: a dict that keeps the rendered values as they
are, before pydantic coerces or refuses them.

What many cases have in common is in `shared` and only once: `true` stands for it
in a case, `context` has only the members of the flow run that differ, and what
is not there is empty.

Run with DO_NOT_TRACK=1 PREFECT_HOME=<scratch> python make_corpus.py
"""

import asyncio
import json
import os
import random
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from uuid import UUID

import hand_written
from prefect.client.schemas.objects import Flow, FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.utilities import templating
from prefect.workers.base import BaseJobConfiguration

SEED = 391
RANDOM_CASES = 500
FLOW_ID = UUID(hand_written.FLOW["id"])
FLOW_RUN_ID = UUID(hand_written.FLOW_RUN["id"])
DEPLOYMENT_ID = UUID("44444444-4444-4444-8444-444444444444")
find_placeholders = templating.find_placeholders


class Rendered(dict):
    """Takes the place of a job configuration class; keeps any key."""

    _get_base_config_defaults = staticmethod(
        BaseJobConfiguration._get_base_config_defaults)
    from_template_and_values = classmethod(
        BaseJobConfiguration.from_template_and_values.__func__)
    resolve_for_flow_run = classmethod(
        BaseJobConfiguration.resolve_for_flow_run.__func__)
    prepared_name = None

    def prepare_for_flow_run(self, **arguments):
        """Have the real class render the name, if it is one it accepts."""
        if isinstance(self.get("name"), (str, type(None))):
            job = BaseJobConfiguration.model_construct(name=self.get("name"))
            job.prepare_for_flow_run(**arguments)
            self.prepared_name = job.name


class Client:
    """The five reads that a worker makes for a configuration."""

    def __init__(self, case, flow):
        self.case, self.flow = case, flow

    async def read_deployment(self, deployment_id):
        return SimpleNamespace(id=deployment_id, name="dep", updated=None,
                               job_variables=self.case["deployment"])

    async def read_flow(self, flow_id):
        return self.flow

    async def read_block_document_by_name(self, name, block_type_slug):
        return await self.read_block_document(f"{block_type_slug}/{name}")

    async def read_block_document(self, key):
        if key not in self.case["blocks"]:
            raise ObjectNotFound(http_exc=Exception("404"))
        return SimpleNamespace(data=self.case["blocks"][key])

    async def read_variable_by_name(self, name):
        if name not in self.case["variables"]:
            return None
        return SimpleNamespace(value=self.case["variables"][name])


async def render(case, order):
    """The case's result, with placeholders of a text taken in `order`."""
    case = deepcopy(case)
    context = case.get("context", {"flow": {}, "flow_run": {}})
    flow = Flow(**{"id": FLOW_ID, "name": "flow", **context["flow"]})
    run = FlowRun(**{"id": FLOW_RUN_ID, "name": "run", **context["flow_run"],
                     "flow_id": FLOW_ID, "job_variables": case["run"]})
    if case["deployment"] is not None:
        run.deployment_id = DEPLOYMENT_ID
    result = {}
    if "context" in case:
        result["context"] = {"flow": flow.model_dump(mode="json"),
                             "flow_run": run.model_dump(mode="json")}
    patched = mock.patch.object(templating, "find_placeholders", order)
    environment = mock.patch.dict(os.environ, case["environment"], clear=True)
    with patched, environment:
        try:
            rendered = await Rendered.resolve_for_flow_run(
                run, client=Client(case, flow), worker_name="worker",
                work_pool=SimpleNamespace(
                    id=UUID(int=1), name="pool",
                    base_job_template=case["template"]))
        except Exception as error:
            return {**result, "error": {
                "class": type(error).__name__, "message": str(error)[:120]}}
    result["configuration"] = dict(rendered)
    if "context" in case and rendered.prepared_name is not None:
        result["prepared_name"] = rendered.prepared_name
    return result


def complete(case):
    """The case with its result, or None if that depends on a set's order."""
    case = {"deployment": None, "run": None, "environment": {}, "blocks": {},
            "variables": {}, **case}
    one, other = (
        asyncio.run(render(case, lambda template: sorted(
            find_placeholders(template), key=str, reverse=reverse)))
        for reverse in (False, True))
    if one != other:
        return None
    case = {**case, **one}
    assert json.loads(json.dumps(case)) == case, case
    return case


class Generator:
    """Makes random cases that mix the rules."""

    names = ["x", "y", "name", "env", "labels", "image", "n", "größe", "o"]
    paths = ["o.a", "o.a.b", "o.a[0]", "o.l[1]", "o.l[-1].k", "env.A", "x[0]",
             "labels.team", "env.B.c", "image[0]", "ctx.flow.name", "o.a-b"]
    keys = ["command", "env", "labels", "name", "image", "args", "{{ x }}"]
    dotted = ["x.a", "env.A", "env.B.c", "o.a.b", "labels.team", "o.l", "o.a"]
    variables = ["region", "count", "map", "nothing", "no", "std"]
    blocks = ["secret.token", "secret.number", "secret.none", "docker.reg.r",
              "json.settings.host", "json.settings.ports[0]", "text.tpl",
              "docker.reg.url", "json.settings.on"] * 4 + [
                  "docker.reg", "json.settings", "no.such", "docker.reg.no"]
    scalars = [True, False, None, 0, 1, -3, 2.0, 0.25, 1e16, 1e-7, "", "a",
               "it's", "1", "ü\u200b", "line\nline", "{ x }", "{{ }}"]

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def often(self, share):
        return self.random.random() < share

    def placeholder(self):
        kind = self.random.random()
        if kind < 0.5:
            name = self.pick(self.names)
        elif kind < 0.7:
            name = self.pick(self.paths)
        elif kind < 0.82:
            name = self.pick(["$N", "$T", "$NO_SUCH", "$EMPTY"])
        elif kind < 0.92:
            name = "prefect.variables." + self.pick(self.variables)
        else:
            name = "prefect.blocks." + self.pick(self.blocks)
        space = self.pick([" ", " ", " ", "", "  ", "\t", "\n"])
        return "{{" + space + name + space + "}}"

    def text(self):
        return "".join(
            self.placeholder() if self.often(0.6) else
            self.pick(["a", "/", " - ", "{", "}", "$", "é", "'", ":"])
            for _ in range(self.random.randint(1, 4)))

    def value(self, depth=0, templated=0.25):
        kind = self.random.random()
        if depth < 3 and kind < 0.14:
            return [self.value(depth + 1, templated)
                    for _ in range(self.random.randint(0, 3))]
        if depth < 3 and kind < 0.32:
            return {self.pick(["a", "b", "c", "k", "l", "team", "A", "a-b"]):
                    self.value(depth + 1, templated)
                    for _ in range(self.random.randint(0, 3))}
        if kind > 0.985:
            return self.pick([hand_written.REF, {"$ref": {}}])
        if self.often(templated):
            return self.pick([self.placeholder, self.text])()
        return self.pick(self.scalars)

    def env(self):
        if self.often(0.08):
            return self.pick([None, None, {}, "A=1"])
        return {self.pick("ABCDEF"): self.pick([
            "v", "w", None, 1, True, self.placeholder(), self.text()])
            for _ in range(self.random.randint(0, 4))}

    def configuration(self):
        config = {self.pick(self.keys): self.pick([
            self.placeholder, self.text, lambda: self.value(0, 0.7)])()
            for _ in range(self.random.randint(1, 5))}
        if self.often(0.6):
            config["env"] = self.pick([
                "{{ env }}", "{{ env }}", self.env(), self.env(), "{{ x }}"])
        if self.often(0.2):
            config["name"] = "{{ name }}"
        return config

    def job_variables(self, dotted, empty):
        if self.often(empty):
            return self.pick([None, {}])
        chosen = self.random.sample(self.names, self.random.randint(0, 5))
        if dotted and self.often(0.5):
            chosen += self.random.sample(self.dotted, 2)
            self.random.shuffle(chosen)
        return {name: self.env() if name == "env" else self.value()
                for name in chosen}

    def case(self):
        properties = {}
        for name, value in (self.job_variables(False, 0.1) or {}).items():
            properties[name] = {"default": value} if self.often(0.9) else {}
        case = {"template": {"job_configuration": self.configuration(),
                             "variables": {"properties": properties}},
                "deployment": self.job_variables(True, 0.2),
                "run": self.job_variables(True, 0.4)}
        if "name" in case["template"]["job_configuration"]:
            case["context"] = {"flow": hand_written.FLOW,
                               "flow_run": hand_written.FLOW_RUN}
        if "$" in json.dumps(case):
            case["environment"] = hand_written.ENV
        if "prefect." in json.dumps(case) or "$ref" in json.dumps(case):
            case |= {"blocks": hand_written.BLOCKS,
                     "variables": hand_written.VARIABLES}
        return case


def shorten(case, shared):
    """The case without what is empty, and with `true` for what is shared."""
    case = dict(case)
    for key in ("deployment", "run"):
        if case[key] is None:
            del case[key]
    for key in ("environment", "blocks", "variables"):
        if case[key] == {}:
            del case[key]
        elif json.dumps(case[key]) == json.dumps(shared[key]):
            case[key] = True
    if "context" in case:
        context, common = case["context"], shared["context"]
        assert context["flow"] == common["flow"]
        assert context["flow_run"].keys() == common["flow_run"].keys()
        case["context"] = {key: value
                           for key, value in context["flow_run"].items()
                           if value != common["flow_run"][key]}
    return case


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    corpus = [complete(case) for case in hand_written.CASES]
    assert None not in corpus, "a hand-written case has no single result"
    generator, seen = Generator(SEED), set()
    while len(seen) < RANDOM_CASES:
        inputs = generator.case()
        case = complete(inputs)
        if case is not None and json.dumps(inputs) not in seen:
            seen.add(json.dumps(inputs))
            corpus.append(case)
    shared = {"environment": hand_written.ENV, "blocks": hand_written.BLOCKS,
              "variables": hand_written.VARIABLES,
              "context": next(c["context"] for c in corpus if "context" in c)}
    lines = ",\n".join(text(shorten(case, shared)) for case in corpus)
    target = Path(__file__).resolve().parent.with_suffix(".json")
    target.write_text(f'{{"shared":{text(shared)},\n"cases":[\n{lines}\n]}}\n',
                      encoding="utf-8")


if __name__ == "__main__":
    main()
