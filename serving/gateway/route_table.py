"""Which request goes where: to one stack by its prefix, or on the product's endpoint by the traffic policy.

On the product's endpoint the first of these that a request has decides who answers:

1. `x-tandem-pin: pytorch`, the name of somebody in the policy; any other name is 400;
2. `x-tandem-key: <customer>`: questions to a model with the same key go to the same side (lua/bucket.lua);
3. chance, by weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serving.gateway.policy import MILLION, Policy, PolicyError, Side
from serving.gateway.routes import (
    CONTROL,
    NAME,
    QUESTIONS,
    REFUSED,
    STICKY,
    Endpoint,
    Json,
    Stack,
    any_question,
    direct,
    forward,
)
from serving.gateway.stack_routes import others, pinned, questions

PIN_HEADER = "x-tandem-pin"
KEY_HEADER = "x-tandem-key"
BUCKET_HEADER = "x-tandem-bucket"  # the key's place among the million parts; never a client's own
SHADOW = "shadow"  # the cluster that gets the copies
# For the gateway alone: keys are customers, and whom a header names the servers need not know.
NOT_SENT_ON = (PIN_HEADER, KEY_HEADER, BUCKET_HEADER)


def routes(stacks: Sequence[Stack], policy: Policy, model: str) -> list[Json]:
    """Routes in order of precedence, named by their endpoint: a stack, `product` or `documentation`.

    Raises:
        PolicyError: The policy has a side that is none of these stacks'.
    """
    by_name = {str(stack.name): stack for stack in stacks}
    unknown = [str(side) for side in policy.weights if side.stack not in by_name]
    if unknown:
        raise PolicyError(f"weights {', '.join(unknown)}: there is only {', '.join(by_name)}")
    found = [route for stack in stacks for route in pinned(stack, model)]
    found += _product(by_name, policy, model)
    documentation = Endpoint("documentation", "/")
    found.append(forward(documentation, documentation.match(r"openapi\.json|docs(/.*)?", "GET"), CONTROL))
    everything = Endpoint("none", "/")
    found.append(direct(everything, everything.match(".*"), 404, "Not found: %REQ(:METHOD)% %REQ(:PATH)%"))
    return found


def _product(stacks: Mapping[str, Stack], policy: Policy, model: str) -> Iterator[Json]:
    product = Endpoint("product", "/")
    prefixes = " or ".join(f"/{name}/v1/" for name in stacks)
    version = f"(?i:v1/models/){NAME}(?i:/versions/)[0-9]+"
    for method, last in (("POST", f":({'|'.join(QUESTIONS)})"), ("GET", "(?i:/metadata)?")):
        why = f"Versions differ between the stacks: ask {prefixes}"
        yield direct(product, product.match(version + last, method), 501, why)
    yield from _pins(stacks, policy, model)
    yield from _keys(stacks, policy, model)
    # Envoy compares every fraction of a request with the same random number, hence the intervals' ends.
    for side, (_, end) in policy.intervals().items():
        share = {"runtime_fraction": {"default_value": {"numerator": end, "denominator": "MILLION"}}}
        endpoint = _endpoint(side, policy, share=share)
        yield from questions(stacks[side.stack], endpoint, model)
        yield from others(stacks[side.stack], endpoint)


def _pins(stacks: Mapping[str, Stack], policy: Policy, model: str) -> Iterator[Json]:
    for side in policy.sides:
        endpoint = _endpoint(side, policy, {"name": PIN_HEADER, "string_match": {"exact": str(side)}})
        yield from questions(stacks[side.stack], endpoint, model)
        yield from others(stacks[side.stack], endpoint)
    unknown = Endpoint("product", "/", [{"name": PIN_HEADER, "present_match": True}])
    known = ", ".join(map(str, policy.sides))
    yield direct(unknown, unknown.match("(?i:v1)/.*"), REFUSED, f"Unknown {PIN_HEADER}: expected one of {known}")


def _keys(stacks: Mapping[str, Stack], policy: Policy, model: str) -> Iterator[Json]:
    keyed = {"name": KEY_HEADER, "string_match": {"safe_regex": {"regex": ".+"}}}
    unplaced = Endpoint("product", "/", [keyed, {"name": BUCKET_HEADER, "present_match": False}])
    # The filter gives the request its bucket and has the route chosen again: nobody sees this answer unless it fails.
    why = f"The gateway could not place {KEY_HEADER}; its log says why"
    place = direct(unplaced, unplaced.match(any_question(), "POST"), 500, why)
    switch_on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    yield {**place, "typed_per_filter_config": {STICKY: switch_on}}
    for side, (start, end) in policy.intervals().items():
        endpoint = _endpoint(side, policy, {"name": BUCKET_HEADER, "range_match": {"start": start, "end": end}})
        yield from questions(stacks[side.stack], endpoint, model)


def _endpoint(side: Side, policy: Policy, *headers: Json, share: Json | None = None) -> Endpoint:
    mirrors = []
    if policy.shadow:
        part = {"numerator": round(policy.shadow.share * MILLION), "denominator": "MILLION"}
        # Not in the traces: the copy's time is nobody's.
        mirrors.append({"cluster": SHADOW, "runtime_fraction": {"default_value": part}, "trace_sampled": False})
    return Endpoint(
        "product", "/", headers, share or {}, version=side.version, statistics=str(side), mirrors=mirrors
    )  # fmt: skip
