"""The hand-written cases: one for each rule that Prefect's worker follows."""

FLOW = {"id": "11111111-1111-4111-8111-111111111111", "name": "etl",
        "tags": ["nightly"]}
FLOW_RUN = {"id": "22222222-2222-4222-8222-222222222222", "name": "busy-bee",
            "parameters": {"day": "monday", "tpl": "{{ ctx.flow.name }}"},
            "tags": ["a", "b"], "run_count": 3}
BLOCK_ID = "33333333-3333-4333-8333-333333333333"
VALUE_ID = "66666666-6666-4666-8666-666666666666"
BLOCKS = {
    "secret/token": {"value": "s3cret"},
    "secret/number": {"value": 5},
    "secret/none": {"value": None},
    "json/settings": {"value": {"host": "h", "ports": [80, 443], "on": True,
                                "value": "inner", "values": [7]}},
    "json/values": {"values": [1, 2]},
    "json/listed": {"value": [{"k": "v"}]},
    "docker/reg": {"url": "r.io", "value": "kept", "pull": None, "r": 1.0},
    "text/tpl": {"value": "{{ prefect.variables.region }}/{{ x }}"},
    "text/chain": {"value": "{{ prefect.blocks.secret.token }}",
                   "ref": {"$ref": {"block_document_id": BLOCK_ID}}},
    BLOCK_ID: {"host": "by-id", "port": 1},
    VALUE_ID: {"value": "lone"},
}
VARIABLES = {
    "region": "eu", "count": 3, "ratio": 0.5, "on": True, "nothing": None,
    "list": [1, None], "map": {"k": 1.0}, "std": "{{ x }}", "a.b": "dotted",
    "again": "{{ prefect.variables.region }}",
    "block": "{{ prefect.blocks.secret.token }}",
}
CASES = []


def case(name, configuration, defaults=None, deployment=None, run=None,
         **more):
    """Add a case; `defaults` become properties of the variables' schema."""
    properties = {k: {"default": v} for k, v in (defaults or {}).items()}
    template = {"job_configuration": configuration,
                "variables": {"type": "object", "properties": properties}}
    CASES.append({"name": name, "template": template,
                  "deployment": deployment, "run": run, **more})


def reads(name, configuration, defaults=None, deployment=None, run=None):
    """A case that may read blocks and variables."""
    case(name, configuration, defaults, deployment, run, blocks=BLOCKS,
         variables=VARIABLES, environment={"N": "from-env"})


def names(name, value, **more):
    """A case for the name, which is rendered again for the flow run."""
    case(name, {"name": "{{ name }}"}, None, {"name": value},
         context={"flow": FLOW, "flow_run": FLOW_RUN}, **more)


# --- whole-string placeholders -------------------------------------------
case("a whole placeholder keeps the type",
     {k: "{{ %s }}" % k for k in "abcdefghij"},
     {"a": 1, "b": 1.5, "c": 2.0, "d": True, "e": False, "f": "s",
      "g": [1, None], "h": {"k": None}, "i": -7, "j": "1"})
case("empty and false defaults are values",
     {k: "{{ %s }}" % k for k in "abcdef"},
     {"a": "", "b": [], "c": {}, "d": 0, "e": False, "f": 0.0})
case("a missing whole placeholder removes the key",
     {"a": "{{ x }}", "b": 1, "c": {"d": "{{ x }}", "e": 2}})
case("a missing whole placeholder removes the list item",
     {"a": ["{{ x }}", 1, ["{{ x }}"], {"k": "{{ x }}"}]})
case("emptied containers stay", {"a": {"b": {"c": "{{ x }}"}}, "d": []})
case("values without placeholders stay",
     {"a": None, "b": [None, True, 1, 1.0, ""], "c": {}, "d": "text"})
case("a schema property without default is not set",
     {"a": "{{ a }}", "b": "<{{ a }}>"},
     template={"job_configuration": {"a": "{{ a }}", "b": "<{{ a }}>"},
               "variables": {"properties": {"a": {"type": "string"}}}})
case("a null default is not set", {"a": "{{ x }}", "b": "<{{ x }}>"},
     {"x": None})
case("a null of the deployment is a value",
     {"a": "{{ x }}", "b": "<{{ x }}>", "c": ["{{ x }}"]}, {"x": 1},
     {"x": None})
case("a null of the run is a value", {"a": "{{ x }}", "b": "<{{ x }}>"},
     {"x": 1}, {"x": 2}, {"x": None})
case("run over deployment over default",
     {"a": "{{ a }}", "b": "{{ b }}", "c": "{{ c }}"},
     {"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2}, {"c": 3})
case("a run without deployment", {"a": "{{ a }}"}, {"a": 1}, None, {"a": 2})
case("a deployment without job variables", {"a": "{{ a }}"}, {"a": 1}, {}, {})
case("variables need not be in the schema", {"a": "{{ a }}"}, None, {"a": 1})
case("unused variables do nothing", {"a": 1}, {"b": 1}, {"c": 1}, {"d": 1})
case("dicts of default and deployment are not merged",
     {"labels": "{{ labels }}"}, {"labels": {"a": "1"}}, {"labels": {"b": ""}})
case("dicts of deployment and run are not merged",
     {"labels": "{{ labels }}"}, None, {"labels": {"a": "1"}},
     {"labels": {"b": "2"}})
# --- placeholders in text --------------------------------------------------
case("text of constants", {k: "<{{ %s }}>" % k for k in "abcd"},
     None, {"a": True, "b": False, "c": None, "d": 10})
case("text of floats", {k: "<{{ %s }}>" % k for k in "abcdefghijkl"},
     {"a": 1.0, "b": 1e15, "c": 1e16, "d": 1e22, "e": 0.0001, "f": 0.00001,
      "g": -0.0, "h": 0.1, "i": 123456789012345680.0, "j": 5e-324,
      "k": 1.7976931348623157e308, "l": 2.5e-7})
case("text of large integers", {k: "<{{ %s }}>" % k for k in "abc"},
     {"a": 2 ** 64 - 1, "b": -2 ** 63, "c": 10 ** 18})
case("text of containers", {k: "<{{ %s }}>" % k for k in "abcd"},
     {"a": [], "b": {}, "c": [1, 2.0, True, None, "s", ["t"]],
      "d": {"z": 1, "a": {"k": [None, 1e16]}, "m": "x"}})
case("text of strings within containers", {"a": "<{{ a }}>", "b": "<{{ b }}>"},
     {"a": ["it's", 'say "x"', "both ' and \"", "\\", "tab\t", "nl\n", "\r"],
      "b": {"k'": "v"}})
case("text of unprintable characters within containers", {"a": "<{{ a }}>"},
     {"a": ["\x00\x1f\x7f", "\x80\xa0\xad", "é漢", "\u200b\u2028\u3000",
            "😀", "\ufeff\ue000", "\U000e0001", "\u0301", "\u0378"]})
case("a string is inserted raw", {"a": "<{{ a }}>"}, {"a": "it's\n\x00\u200b"})
case("missing in text is empty and stays",
     {"a": "<{{ x }}>", "b": "{{ x }}{{ y }}", "c": ["{{ x }} "]})
case("several in one text", {"a": "{{ a }}-{{ b }}{{ c }}/{{ a }}"},
     {"a": 1, "b": "two", "c": [3]})
case("the same twice is text", {"a": "{{ n }}{{ n }}", "b": "{{n}} {{ n }}"},
     {"n": 1})
case("space around makes text",
     {"a": " {{ n }}", "b": "{{ n }} ", "c": "{{ n }}\n", "d": "\t{{ n }}"},
     {"n": 1})
case("inserted text is not read again",
     {"a": "{{ a }}/{{ b }}", "b": "{{ a }}",
      "c": "{{ l }}", "d": "<{{ l }}>"},
     {"a": "{{ b }}", "b": "{{ a }}", "l": ["{{ a }}", {"k": "{{ a }}"}]})
case("a variable does not read another", {"c": "{{ c }}"}, {"c": "{{ d }}"},
     {"d": "{{ c }}"})
# --- what a placeholder is -----------------------------------------------
case("space within braces",
     {"a": "{{n}}", "b": "{{   n}}", "c": "{{n\t}}", "d": "{{\n n \r\n}}"},
     {"n": 1})
case("Unicode space within braces",
     {"a": "{{\u00a0n }}", "b": "{{\x1cn }}", "c": "{{\x85n }}",
      "d": "{{\u2028n\u3000}}", "e": "{{\x1f\x0b\x0cn }}"}, {"n": 1})
case("no space within braces",
     {"a": "{{\u200bn }}", "b": "{{\ufeffn }}", "c": "{{\x00n }}"}, {"n": 1})
case("names of placeholders",
     {"a": "{{ a-b }}", "b": "{{ a_b }}", "c": "{{ 1 }}", "d": "{{ größe }}",
      "e": "{{ ключ }}", "f": "{{ 漢 }}", "g": "{{ ² }}", "h": "{{ ½ }}",
      "i": "{{ ٣ }}", "j": "{{ Ⅷ }}", "k": "{{ --- }}", "l": "{{ $a }}",
      "m": "{{ a$b }}", "n": "{{ ª }}"},
     {"a-b": 1, "a_b": 2, "1": 3, "größe": 4, "ключ": 5, "漢": 6, "²": 7,
      "½": 8, "٣": 9, "Ⅷ": 10, "---": 11, "$a": 12, "a$b": 13, "ª": 14})
case("no names of placeholders",
     {"a": "{{ e\u0301 }}", "b": "{{ a‿b }}", "c": "{{ ⓐ }}", "d": "{{ a b }}",
      "e": "{{ a|upper }}", "f": "{{ a+b }}", "g": "{{ 'a' }}", "h": "{{ }}",
      "i": "{{}}", "j": "{ a }", "k": "{{ a }", "l": "{{ a:b }}",
      "m": "{% a %}", "n": "{{ a/b }}", "o": "{{ a\u200db }}"},
     {"a": 1, "b": 2})
case("more braces", {"a": "{{{ n }}}", "b": "{{ {{ n }} }}", "c": "{{{n}}",
                     "d": "{{{{ n }}}}", "e": "${{ n }}"}, {"n": 1})
case("keys are not templated", {"{{ n }}": "{{ n }}", "a": {"<{{ n }}>": 1}},
     {"n": "k"})
# --- paths --------------------------------------------------------------
DEEP = {"o": {"b": {"c": 1, "l": [10, {"k": "v"}, [20, 21]]}, "0": "zero",
              "2026": 42, "": "empty", "n": None, "s": "text", "i": 12345}}
case("paths", {"a": "{{ o.b.c }}", "b": "{{ o.b.l[0] }}",
               "c": "{{ o.b.l[1].k }}", "d": "{{ o.b.l.1.k }}",
               "e": "{{ o.b.l[2][1] }}", "f": "{{ o.b }}",
               "g": "<{{ o.b.l }}>", "h": "{{ o.2026 }}", "i": "{{ o[0] }}"},
     DEEP)
case("missing paths", {"a": "{{ o.x }}", "b": "{{ o.b.c.d }}",
                       "c": "{{ o.b.l[3] }}", "d": "{{ o.b.l.k }}",
                       "e": "{{ o.n.x }}", "f": "{{ o.i[0] }}",
                       "g": "{{ o.01 }}", "h": "<{{ o.x.y }}>",
                       "i": "{{ o.b.l[99999999999999999999] }}",
                       "j": "{{ o.s.k }}", "k": "{{ o.s[9] }}"}, DEEP)
case("a null at the end of a path", {"a": "{{ o.n }}", "b": "<{{ o.n }}>"},
     DEEP)
case("negative indices", {"a": "{{ o.b.l[-1] }}", "b": "{{ o.b.l.-2.k }}",
                          "c": "{{ o.b.l[-4] }}", "d": "{{ o[-1] }}"}, DEEP)
case("indices into strings", {"a": "{{ o.s[0] }}", "b": "{{ o.s[-1] }}",
                              "c": "{{ u[1] }}", "d": "{{ o.s[0][0][0] }}"},
     {**DEEP, "u": "a😀b"})
case("Python's integers as indices",
     {"a": "{{ l[01] }}", "b": "{{ l[1_0] }}", "c": "{{ l[٣] }}",
      "d": "{{ l[-0] }}", "e": "{{ l[²] }}", "f": "{{ l[_1] }}",
      "g": "{{ l[1__0] }}", "h": "{{ l[--1] }}"}, {"l": list(range(100, 112))})
case("odd brackets and dots",
     {"a": "{{ o.b]c }}", "b": "{{ o[b].c }}", "c": "{{ o[b[c }}",
      "d": "{{ o. }}", "e": "{{ o.. }}", "f": "{{ .o }}", "g": "{{ . }}",
      "h": "{{ [o] }}", "i": "{{ o] }}", "j": "{{ o.b. }}", "k": "{{ [] }}"},
     DEEP)
case("a default whose name has a dot is never found",
     {"a": "{{ a.b }}", "b": "<{{ a.b }}>"}, {"a.b": 1})
# --- environment variables ----------------------------------------------
ENV = {"N": "v", "EMPTY": "", "A.B": "dot", "T": "{{ x }}", "N[0]": "bracket"}
case("an environment variable that is set",
     {"a": "{{ $N }}", "b": "<{{ $N }}>", "c": ["{{$N}}"], "d": "{{ $T }}",
      "e": "{{ $T }}{{ x }}"}, {"x": 1}, environment=ENV)
case("an environment variable that is not set is empty and stays",
     {"a": "{{ $NO_SUCH }}", "b": "<{{ $NO_SUCH }}>", "c": ["{{ $NO_SUCH }}"],
      "d": "{{ $EMPTY }}"}, environment=ENV)
case("odd names of environment variables",
     {"a": "{{ $$N }}", "b": "{{ $ }}", "c": "{{ $A.B }}", "d": "{{ $N[0] }}",
      "e": "{{ $n }}"}, environment=ENV)
case("an environment variable in an inserted value is not read",
     {"a": "{{ a }}", "b": "<{{ a }}>"}, None, {"a": "{{ $N }}"},
     environment=ENV)
# --- dotted keys ----------------------------------------------------------
case("dotted keys nest", {"a": "{{ a }}", "b": "{{ a.b.c }}"}, None,
     {"a.b.c": 1, "a.b.d": None}, {"a.b.c": 2, "a.e": [3]})
case("a dotted key replaces a default dict", {"a": "{{ a }}"},
     {"a": {"x": 1, "y": 2}}, {"a.x": 3})
case("un-dotted of the deployment wins over dotted of the run",
     {"a": "{{ a }}"}, None, {"a": {"x": 1, "z": 0}}, {"a.x": 2, "a.y": 3})
case("un-dotted of the run wins over dotted of the deployment",
     {"a": "{{ a }}"}, None, {"a.x": 1, "a.y": 3}, {"a": {"x": 2}})
case("deep merge of dotted and un-dotted", {"a": "{{ a }}", "t": "<{{ a }}>"},
     None, {"a.b.c": 1, "a.b.d": {"e": 2},
            "a": {"b": {"d": {"f": 3}, "z": 0}}})
case("lists are not merged", {"a": "{{ a }}"}, None,
     {"a.b": [1], "a": {"b": [2]}})
case("an un-dotted scalar drops the dotted", {"a": "{{ a }}"}, None,
     {"a.b": 1, "a": 2})
case("an un-dotted null drops the dotted", {"a": "{{ a }}"}, None,
     {"a.b": 1}, {"a": None})
case("a dotted scalar after its children", {"a": "{{ a }}"}, None,
     {"a.b.c": 1, "a.b": 2})
case("a dotted scalar before its children", {"a": "{{ a }}"}, None,
     {"a.b": 2, "a.b.c": 1})
case("a dotted null before its children", {"a": "{{ a }}"}, None,
     {"a.b": None, "a.b.c": 1})
case("a dotted dict before its children", {"a": "{{ a }}"}, None,
     {"a.b": {"x": 1}, "a.b.c": 1})
case("brackets in dotted keys", {"a": "{{ a }}", "b": "{{ b }}"}, None,
     {"a.b[0]": 1, "b[0]": 2, "a[x].y": 3})
case("empty parts of dotted keys",
     {"a": "{{ a }}", "b": "{{ .b }}", "c": "{{ c }}", "d": "{{ . }}"}, None,
     {"a.": 1, ".b": 2, "c..d": 3})
case("an empty part before its children", {"a": "{{ a }}"}, None,
     {"a.": 1, "a..b": 2})
case("a dotted key does not need a used name", {"a": 1}, None, {"b.c": 1})
# --- env ------------------------------------------------------------------
E = {"env": "{{ env }}"}
T = {"env": {"A": "template", "B": "template", "C": "template",
             "D": "template"}}
case("env: nothing is set", E)
case("env: an empty default is a value", E, {"env": {}})
case("env: a placeholder, default only", E, {"env": {"A": "default"}})
case("env: a placeholder, all levels", E, {"env": {"A": "d", "B": "d"}},
     {"env": {"B": "p", "C": "p"}}, {"env": {"C": "r", "D": "r"}})
case("env: a placeholder, no default", E, None, {"env": {"B": "p", "C": "p"}},
     {"env": {"C": "r"}})
case("env: a placeholder, empty default", E, {"env": {}}, {"env": {"B": "p"}})
case("env: a placeholder, the run only", E, {"env": {"A": "d"}}, {},
     {"env": {"C": "r"}})
case("env: a template dict, all levels", T, {"env": {"B": "d", "C": "d"}},
     {"env": {"C": "p", "D": "p"}}, {"env": {"D": "r"}})
case("env: a template dict, deployment only", T, None, {"env": {"A": "p"}})
case("env: not in the template, default", {"a": 1}, {"env": {"A": "d"}})
case("env: not in the template, no default", {"a": 1}, None,
     {"env": {"A": "p"}})
case("env: not in the template, all levels", {"a": 1}, {"env": {"A": "d"}},
     {"env": {"A": "p", "B": "p"}})
case("env: another placeholder is lost to a default",
     {"env": "{{ other }}"}, {"env": {"A": "d"}, "other": {"O": "o"}})
case("env: another placeholder without default",
     {"env": "{{ other }}"}, {"other": {"O": "o"}}, {"env": {"A": "p"}})
case("env: null in the template", {"env": None}, {"env": {"A": "d"}},
     {"env": {"B": "p"}})
case("env: null of the deployment leaves the default", E,
     {"env": {"A": "d"}}, {"env": None})
case("env: null of the deployment without default", E, None, {"env": None})
case("env: null of the deployment with a template dict", T, None,
     {"env": None})
case("env: null of the deployment, dict of the run", E, {"env": {"A": "d"}},
     {"env": None}, {"env": {"B": "r"}})
case("env: null of the run on a dict of the deployment", E, None,
     {"env": {"A": "p"}}, {"env": None})
case("env: null of the run alone", E, {"env": {"A": "d"}}, {}, {"env": None})
case("env: empty dict of the run", E, None, {"env": {"A": "p"}}, {"env": {}})
case("env: pairs of the run", E, None, {"env": {"A": "p"}},
     {"env": [["B", "r"]]})
case("env: text of the run", E, None, {"env": {"A": "p"}}, {"env": "B=r"})
case("env: text of the deployment, placeholder", E, None, {"env": "A=p"})
case("env: text of the deployment, template dict", T, None, {"env": "A=p"})
case("env: text as default, placeholder", E, {"env": "A=d"})
case("env: text as default, template dict", T, {"env": "A=d"})
case("env: null values at each level",
     {"env": {"A": None, "B": "t", "E": None}}, {"env": {"B": None, "C": "d"}},
     {"env": {"C": None, "D": "p", "E": "p"}}, {"env": {"D": None}})
case("env: other types are kept", E, {"env": {"A": 1}},
     {"env": {"B": True, "C": 1.0, "D": ["x"]}}, {"env": {"E": {"k": 1}}})
case("env: nested dicts are replaced", {"env": {"A": {"x": 1}}},
     {"env": {"A": {"y": 2}}}, {"env": {"A": {"z": 3}}})
case("env: dotted of the deployment", E, {"env": {"A": "d"}},
     {"env.B": "p", "env.C.D": "p"})
case("env: dotted of the run on a dict of the deployment", E, None,
     {"env": {"A": "p"}}, {"env.A": "r", "env.B": "r"})
case("env: dotted of the deployment, dict of the run", E, None,
     {"env.A": "p", "env.B": "p"}, {"env": {"B": "r"}})
case("env: dotted, null of the run", E, {"env": {"A": "d"}}, {"env.B": "p"},
     {"env": None})
case("env: a default is templated when merged", E,
     {"env": {"A": "{{ x }}", "B": "<{{ x }}>", "C": "{{ no }}",
              "D": "{{ $N }}"}, "x": 1}, environment=ENV)
case("env: a deployment is templated when merged", T, {"x": 1},
     {"env": {"A": "{{ x }}", "B": "<{{ x }}>", "C": "{{ no }}",
              "D": "{{ $N }}"}}, environment=ENV)
case("env: a deployment is templated when there is a default", E,
     {"env": {"Z": "z"}, "x": 1},
     {"env": {"A": "{{ x }}", "D": "{{ $N }}"}}, environment=ENV)
case("env: a deployment is not templated when inserted", E, {"x": 1},
     {"env": {"A": "{{ x }}", "B": "<{{ x }}>", "D": "{{ $N }}"}},
     environment=ENV)
case("env: an inserted value is not read again", E,
     {"env": {"A": "{{ x }}"}, "x": "{{ y }}", "y": 1})
case("env: elsewhere only the winning level is seen",
     {**E, "a": "{{ env.A }}", "b": "{{ env.B }}", "all": "{{ env }}"},
     {"env": {"A": "d"}}, {"env": {"B": "p"}})
case("env: elsewhere the default is seen", {**E, "a": "{{ env.A }}"},
     {"env": {"A": "d"}})
case("env: placeholders of the template's dict",
     {"env": {"A": "{{ x }}", "B": "{{ no }}", "C": "<{{ no }}>"}}, {"x": 1},
     {"env": {"D": "p"}})
# --- blocks ---------------------------------------------------------------
B = "prefect.blocks."
reads("block: a lone value is unwrapped",
      {"a": "{{ %ssecret.token }}" % B, "b": "{{%ssecret.number}}" % B,
       "c": "{{ %sjson.settings }}" % B, "d": "{{ %ssecret.none }}" % B})
reads("block: other data come whole", {"a": "{{ %sdocker.reg }}" % B,
                                       "b": "{{ %sjson.values }}" % B})
reads("block: paths", {"a": "{{ %sjson.settings.host }}" % B,
                       "b": "{{ %sjson.settings.value.host }}" % B,
                       "c": "{{ %sjson.settings.value }}" % B,
                       "d": "{{ %sjson.settings.ports[1] }}" % B,
                       "e": "{{ %sjson.settings.value.ports.0 }}" % B,
                       "f": "{{ %sjson.values.values[0] }}" % B,
                       "g": "{{ %sdocker.reg.value }}" % B,
                       "h": "{{ %sdocker.reg.pull }}" % B,
                       "i": "{{ %sjson.settings.value.value }}" % B,
                       "j": "{{ %ssecret.token.0 }}" % B,
                       "k": "{{ %sjson.listed.value[0].k }}" % B,
                       "l": "{{ %sjson.settings.values[0] }}" % B})
reads("block: in text", {"a": "<{{ %ssecret.token }}>" % B,
                         "b": "<{{ %ssecret.number }}>" % B,
                         "c": "<{{ %ssecret.none }}>" % B,
                         "d": "<{{ %sjson.settings.on }}>" % B,
                         "e": "<{{ %sdocker.reg.r }}>" % B,
                         "f": "{{%ssecret.token}}{{ %ssecret.number }}"
                         % (B, B), "g": " {{ %ssecret.number }}" % B})
reads("block: a dict in text", {"a": "<{{ %sjson.settings }}>" % B})
reads("block: a list in text", {"a": "<{{ %sjson.settings.ports }}>" % B})
reads("block: not there", {"a": "{{ %ssecret.nope }}" % B})
reads("block: path not there", {"a": "{{ %sjson.settings.nope }}" % B})
reads("block: path into text", {"a": "{{ %ssecret.token.k }}" % B})
reads("block: no document", {"a": "{{ %ssecret }}" % B})
reads("block: no document, in text", {"a": "<{{ %s }}>" % B})
reads("block: an empty document name", {"a": "{{ %ssecret. }}" % B})
reads("block: the prefix alone is a standard name",
      {"a": "{{ prefect.blocks }}", "b": "{{ prefect.other.x }}",
       "c": "<{{ prefect.variables }}>", "d": "{{ Prefect.blocks.a.b }}"},
      {"prefect": {"other": {"x": 1}}})
reads("block: within job variables",
      {"a": "{{ a }}", "b": "<{{ b }}>", "c": "{{ c }}"}, None,
      {"a": "{{ %ssecret.number }}" % B, "b": "{{ %ssecret.token }}" % B},
      {"c": ["{{ %ssecret.token }}/x" % B, {"k": "{{ %sdocker.reg }}" % B}]})
reads("block: within env", E, {"env": {"A": "{{ %ssecret.token }}" % B}},
      {"env": {"B": "<{{ %ssecret.number }}>" % B}})
reads("block: made of two pieces", {"a": "{{ %s{{ x }} }}" % B},
      {"x": "secret.token"})
reads("block: data are not read again for blocks",
      {"a": "{{ %stext.chain }}" % B, "b": "<{{ %stext.chain.value }}>" % B})
reads("block: data are read for variables, not for values",
      {"a": "{{ %stext.tpl }}" % B, "b": "<{{ %stext.tpl }}>" % B}, {"x": 1})
reads("block: keys are not read", {"{{ %ssecret.token }}" % B: 1})
REF = {"$ref": {"block_document_id": BLOCK_ID}}
reads("ref: in the template",
      {"a": REF, "b": [REF], "c": {"d": {**REF, "sibling": 1}}})
reads("ref: as default and job variable", {"a": "{{ a }}", "b": "{{ b }}"},
      {"a": REF}, {"b": [REF]})
reads("ref: the id by placeholder",
      {"a": {"$ref": {"block_document_id": "{{ id }}"}}}, {"id": BLOCK_ID})
reads("ref: a lone value is not unwrapped",
      {"a": {"$ref": {"block_document_id": VALUE_ID}}})
reads("ref: the id is not set",
      {"a": {"$ref": {"block_document_id": "{{ id }}"}}, "b": {"$ref": {}},
       "c": {"$ref": {"block_document_id": None}}})
reads("ref: not there", {"a": {"$ref": {
    "block_document_id": BLOCK_ID.replace("3", "5")}}})
reads("ref: text", {"a": {"$ref": "#/definitions/X"}})
reads("ref: null", {"a": {"$ref": None}})
reads("ref: a list", {"a": {"$ref": [BLOCK_ID]}})
reads("ref: missing text is removed first", {"a": {"$ref": "{{ no }}"}})
reads("ref: the whole configuration", {**REF, "a": "{{ x }}"}, {"x": 1})
reads("ref: the whole env", E, {"env": {"A": "d"}}, {"env": REF})
reads("ref: in text", {"a": "<{{ x }}>"}, {"x": REF})
# --- variables ------------------------------------------------------------
V = "prefect.variables."
reads("variable: whole keeps the type",
      {k: "{{ %s%s }}" % (V, k) for k in
       ("region", "count", "ratio", "on", "nothing", "list", "map")})
reads("variable: in text",
      {k: "<{{ %s%s }}>" % (V, k) for k in
       ("region", "count", "ratio", "on", "nothing", "list", "map")})
reads("variable: not there is empty and stays",
      {"a": "{{ %sno }}" % V, "b": "<{{ %sno }}>" % V, "c": ["{{ %sno }}" % V],
       "d": "{{ %sno }}{{ %sno }}" % (V, V), "e": "{{ %s }}" % V})
reads("variable: no paths", {"a": "{{ %smap.k }}" % V, "b": "{{ %sa.b }}" % V,
                             "c": "{{ %slist[0] }}" % V})
reads("variable: values are not read again",
      {"a": "{{ %sstd }}" % V, "b": "<{{ %sstd }}>" % V,
       "c": "{{ %sagain }}" % V, "d": "<{{ %sagain }}>" % V,
       "e": "{{ %sblock }}" % V}, {"x": 1})
reads("variable: within job variables",
      {"a": "{{ a }}", "b": "<{{ b }}>", "env": "{{ env }}"}, None,
      {"a": "{{ %scount }}" % V, "b": "{{ %smap }}" % V,
       "env": {"R": "{{ %sregion }}" % V, "M": "{{ %sno }}" % V}})
reads("variable: the prefix is taken out wherever it is",
      {"a": "{{ %s%sregion }}" % (V, V)})
reads("variable: keys are not read", {"{{ %sregion }}" % V: 1})
reads("all kinds in one text",
      {"a": "{{ x }}|{{ no }}|{{ $N }}|{{ %ssecret.token }}|{{ %sregion }}"
       % (B, V)}, {"x": None}, {"x": "{{ y }}"})
# --- ctx ------------------------------------------------------------------
case("ctx: is a missing name in the template",
     {"name": "{{ ctx.flow.name }}", "a": "<{{ ctx.flow_run.id }}>"},
     context={"flow": FLOW, "flow_run": FLOW_RUN})
case("ctx: only the name is rendered again",
     {"name": "{{ name }}", "labels": {"l": "{{ l }}"}}, {"name": "x"},
     {"name": "{{ ctx.flow.name }}", "l": "{{ ctx.flow.name }}"},
     context={"flow": FLOW, "flow_run": FLOW_RUN})
case("ctx: text of the template and a job variable",
     {"name": "job-{{ name }}"}, {"name": "{{ ctx.flow.name }}"},
     context={"flow": FLOW, "flow_run": FLOW_RUN})
case("ctx: no name", {"a": 1}, context={"flow": FLOW, "flow_run": FLOW_RUN})
names("ctx: text", "{{ ctx.flow.name }}-{{ctx.flow_run.name}}!")
names("ctx: paths", "{{ ctx.flow_run.tags[1] }}{{ ctx.flow.tags }}"
      "{{ ctx.flow_run.parameters.day }}")
names("ctx: null in text", "<{{ ctx.flow_run.state }}>")
names("ctx: null is the run's name", "{{ ctx.flow_run.state }}")
names("ctx: a number stays a number", "{{ ctx.flow_run.run_count }}")
names("ctx: false is the run's name", "{{ ctx.flow_run.auto_scheduled }}")
names("ctx: whole and missing stays as it is", "{{ ctx.deployment.name }}")
names("ctx: missing in text is empty", "<{{ ctx.deployment.name }}>")
names("ctx: another name, whole", "{{ x }}")
names("ctx: another name, in text", "<{{ x }}>")
names("ctx: all is missing is the run's name", "{{ x }}{{ y }}")
names("ctx: an environment variable", "<{{ $N }}>", environment=ENV)
names("ctx: an environment variable, not set", "{{ $NO_SUCH }}")
names("ctx: an empty name", "")
names("ctx: null", None)
names("ctx: a value is not read again", "{{ ctx.flow_run.parameters.tpl }}")
names("ctx: a variable's value is read", "{{ prefect.variables.n }}",
      variables={"n": "v-{{ ctx.flow.name }}"})
# --- templates --------------------------------------------------------------
case("template: empty", {}, template={})
case("template: no variables", {}, template={"job_configuration": {"a": 1}})
case("template: no configuration", {}, template={"variables": {}})
case("template: empty configuration", {}, {"a": 1}, {"b": 1})
case("template: variables without properties", {}, None, {"a": 1},
     template={"job_configuration": {"a": "{{ a }}"}, "variables": {}})
case("template: a property that is true", {},
     template={"job_configuration": {}, "variables": {"properties": {
         "a": True}}})
case("template: a manifest", {"job_manifest": {
    "metadata": {"labels": "{{ labels }}", "namespace": "{{ ns }}"},
    "spec": {"backoffLimit": 0, "ttl": "{{ ttl }}", "template": {"spec": {
        "containers": [{"name": "job", "image": "{{ image }}", "env": [
            {"name": "A", "value": "{{ image }}:{{ tag }}"}],
            "args": "{{ command }}"}], "account": "{{ account }}"}}}}},
     {"labels": {}, "ns": "default", "ttl": None, "image": "img"},
     {"tag": 2.0, "command": "run it"}, {"ns": "ns", "labels": {"a": "b"}})
