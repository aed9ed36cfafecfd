"""What schemathesis has to know of the gateway that no OpenAPI document can say."""

import ast
import base64
import copy
import functools
import threading
import unicodedata

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

# A token that names a page comes from an earlier answer; the empty one is the first page.
schemathesis.openapi.format("page-token", st.just(""))
# Beyond the end of a task's log there is no place to go on from.
schemathesis.openapi.format("event-id", st.sampled_from(["", "0"]))
schemathesis.openapi.format(
    "any-base64",
    st.one_of(
        st.binary(max_size=64).map(lambda data: base64.b64encode(data).decode()),
        st.binary(max_size=64).map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")),
    ),
)

# Python before 3.12 fails now and then where two threads parse at once, as hypothesis makes them do.
ONE_PARSES = threading.Lock()


def one_at_a_time(function):
    @functools.wraps(function)
    def locked(*arguments, **options):
        with ONE_PARSES:
            return function(*arguments, **options)

    return locked


ast.parse = one_at_a_time(ast.parse)

# Below a tenant of such a name is another route.
NO_TENANTS = {"files", "tasks", "v1"}


@schemathesis.hook
def filter_path_parameters(ctx, path_parameters):
    return (path_parameters or {}).get("tenant") not in NO_TENANTS


def as_text(part):
    """A part that the demo app takes, in the form of the part that it replaces."""
    tags = {name: "text" for name in ("kind", "type") if part.get(name)}
    text = part.get("text")
    return {**tags, "text": quick(text if isinstance(text, str) else "")}


def quick(text):
    """A text that the demo app answers with a few words."""
    return f"{text} My name is Al."


def speak(body):
    """Makes a request one that the demo app takes: text for text, to begin a conversation or to go on with one."""
    body.pop("tenant", None)
    message = body.get("message") or (body.get("messages") or [None])[-1]
    if not isinstance(message, dict):
        return
    for holder in (body, message):
        holder.pop("taskId", None)
    modes = (body.get("configuration") or {}).get("acceptedOutputModes")
    if modes:
        modes[-1:] = ["text/plain"]
    for name in ("parts", "content"):
        if isinstance(message.get(name), list):
            message[name] = [as_text(part) for part in message[name]]
        elif isinstance(message.get(name), str):
            message[name] = quick(message[name])


@schemathesis.hook
def filter_failure(ctx, failure, case, response):
    """Now and then an id with a control character counts as right, although the pattern has none."""
    ids = [str(value) for value in (case.path_parameters or {}).values()]
    has_control = any(unicodedata.category(letter) == "Cc" for text in ids for letter in text)
    return not (has_control and isinstance(failure, RejectedPositiveData))


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Whether an app takes files and values is not in the document, nor which tasks there are."""
    if not case.meta or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    name = case.operation.definition.raw["operationId"].lower()
    body = copy.deepcopy(case.body)
    if "sendmessage" in name or "sendstreamingmessage" in name:
        speak(body)
    elif name.startswith("call") and isinstance(body.get("params"), dict):
        speak(body["params"])
    case.body = body


def is_json_rpc(case):
    return bool({"JSON-RPC", "message.send"} & set(case.operation.tags or []))


@schemathesis.check
def rpc_refusal(ctx, response, case):
    """A JSON-RPC request that does not fit the schema gets an error, whatever the status says."""
    if response.status_code != 200 or not is_json_rpc(case) or not case.meta:
        return
    if not case.meta.generation.mode.is_negative or not case.meta.is_negative_at(ParameterLocation.BODY):
        return
    assert '"error":' in response.text, f"a wrong request was not refused: {response.text[:500]}"
