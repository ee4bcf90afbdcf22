"""`ringfence status`: what holds a fund that runs, by which rules, since when, and what would let go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Annotated, Any

import typer

from api.commands.import_files import JsonOption
from api.commands.serve import PORT
from api.modes import not_binding_line
from api.terminal import console, show_json

HOST = "127.0.0.1"
UP = "UP"
STOP, MODE = "ess.state", "hfos.risk_mode"
PATIENCE_SECONDS = 60
RESET = """\
To re-arm, once no cause is left:
  curl -X POST {url}/v1/ess:reset -H 'content-type: application/json' -d '{{"person": "YOU", "reason": "WHY"}}'"""


def status(
    *,
    port: Annotated[int, typer.Option("--port", help="Where the fund answers.", min=1, max=65535)] = PORT,
    whole: Annotated[bool, typer.Option("--all", help="Every output in full, not only the stop and the mode.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a running fund what holds it: outputs that are not at their loosest, rules, since when, what would let go.

    Exit code 0: it decides, and the stop binds and is armed. 1: it is halted, or its newest snapshot is too old, or no
    stop can halt it, since `ess` is off or only observed. 2: nobody answers there, or what answers is no fund.
    """
    found = _asked(port)
    if as_json:
        show_json(found)
    else:
        screen = console()
        for line in _lines(found, f"http://{HOST}:{port}", whole=whole):
            screen.print(line, soft_wrap=True)
    if found["halted"] or not found["deciding"] or not found["stop_binds"]:
        raise typer.Exit(1)


def _asked(port: int) -> dict[str, Any]:
    """The answer of the service. Raises BadParameter where there is none."""
    where = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
    try:
        where.request("GET", "/v1/status")
        answer = where.getresponse()
        code, found = answer.status, json.loads(answer.read())
    except TimeoutError as error:
        raise _nobody(f"nothing answered at port {port} within {PATIENCE_SECONDS} s") from error
    except OSError as error:
        raise _nobody(f"nobody listens at port {port}: start `ringfence serve`, or name its port") from error
    except (HTTPException, ValueError) as error:
        raise _nobody(f"what answers at port {port} is no `ringfence serve`") from error
    finally:
        where.close()
    if code != 200 or not isinstance(found, dict) or "outputs" not in found:  # noqa: PLR2004 -- HTTP's own number
        said = found.get("detail") if isinstance(found, dict) else None
        raise _nobody(f"what answers at port {port} tells no status: {said or code}")
    return found


def _nobody(why: str) -> typer.BadParameter:
    return typer.BadParameter(why, param_hint="--port")


def _lines(found: dict[str, Any], url: str, *, whole: bool) -> Iterator[str]:
    yield _standing(found)
    yield f"the newest snapshot is of {found['ts']}"
    if not found["deciding"]:
        yield f"NOT DECIDING: {found['unready']}"
    elif found["fault"] is not None:
        yield f"the last snapshot failed: {found['fault']}"
    for hand in found["hands"]:
        yield f"by hand: {hand['what']}, {hand['person']} at {hand['at']}: {hand['reason']}"
    full = [output for output in found["outputs"] if whole or output["output"] in (STOP, MODE)]
    for output in full:
        yield ""
        yield from _output_lines(output)
    yield ""
    for output in found["outputs"]:
        if output not in full:
            kept = "" if output["kept"] is None else f"; {output['kept']['ends']}"
            yield f"{output['output']} = {output['value']}, since {_since(output)}: {_rules(output)}{kept}"
    for service in found["services"]:
        if service["status"] != UP or any(rule["definite"] for rule in service["rules"]):
            yield from _service_lines(service)
    for module, fault in found["failing"].items():
        yield f"no facts from {module}: {fault}"
    if found["missing"]:
        yield f"{found['missing']} facts are missing: {url}/v1/policy says why"
    if found["halted"]:
        yield ""
        yield RESET.format(url=url)


def _standing(found: dict[str, Any]) -> str:
    """Whether the fund is halted, and which policies let it do what they would forbid."""
    said = ["HALTED" if found["halted"] else "not halted"]
    free = found["not_binding"]
    if not found["stop_binds"] and all(one["policy"] != STOP.partition(".")[0] for one in free):
        said.append("these rules have no emergency stop")
    return "; ".join([*said, *filter(None, [not_binding_line(free)])])


def _service_lines(service: dict[str, Any]) -> Iterator[str]:
    """How a service does that does not do well, or about which a rule has something to say."""
    state = service["status"] or "nobody knows how it does"
    restarts = "unknown" if service["restarts"] is None else service["restarts"]
    seen = "" if service["last_seen"] is None else f", last seen {service['last_seen']:.0f} s ago"
    needed = ", and trading depends on it" if service["affects_trading"] else ""
    yield f"service {service['service']}: {state}, restarts in an hour: {restarts}{seen}{needed}"
    yield from _rule_lines(service["rules"])
    if service["fault"] is not None:
        yield f"  the last repair failed: {service['fault']}"


def _output_lines(output: dict[str, Any]) -> Iterator[str]:
    yield f"{output['output']} = {output['value']}, since {_since(output)}"
    yield from _rule_lines(output["rules"])
    kept = output["kept"]
    if kept is not None:
        asked = ", ".join(kept["rules"]) or "what it kept before"
        yield f"  {kept['ends']}: asked for by {asked} at {kept['since']}"
    if output["otherwise"] is not None:
        yield f"  what would let go: {output['otherwise']}"


def _rule_lines(rules: list[dict[str, Any]]) -> Iterator[str]:
    for rule in rules:
        unsure = "" if rule["definite"] else " (for want of a fact)"
        at = "" if rule["at"] is None else f", {rule['at']}"
        yield f"  {rule['rule']}: {rule['because'] or 'fires'}{unsure}{at}"


def _since(output: dict[str, Any]) -> str:
    """Since when; a service that began while it was so knows no better."""
    return str(output["since"]) + ("" if output["since_is_exact"] else " or before")


def _rules(output: dict[str, Any]) -> str:
    kept = [] if output["kept"] is None else output["kept"]["rules"]
    return ", ".join(dict.fromkeys([*(rule["rule"] for rule in output["rules"]), *kept])) or "what it kept before"
