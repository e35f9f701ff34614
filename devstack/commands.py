"""The commands of ./dev, each on servers of the kind it needs."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from devstack import checks, environment, gateways, places, ports, processes, translations
from devstack.console import DevError, say, tail
from devstack.places import ROOT, State
from devstack.servers import Servers
from devstack.supervisor import Part, Program, Supervisor, stop_programs

DEFAULT_PORT = 8000
READY_PATIENCE = 90.0  # seconds; on two busy cores a first page took 7
INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
KEPT_LOG_BYTES = 10_000_000
# What ./dev test runs without arguments. Two processes, for two cores; each has its own database.
WHOLE_SUITE = ("-n", "2")


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return its exit code. Raises DevError."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Set here also for SIGINT: a shell starts what is in its background with it ignored.
        signal.signal(number, _interrupt)
    command, *rest = arguments
    commands: dict[str, Callable[[Sequence[str]], int]] = {
        "run": _run,
        "manage": _manage,
        "test": _test,
        "bench": _bench,
        "check": checks.run,
        "pictures": _pictures,
    }
    return commands[command](rest)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(arguments: Sequence[str]) -> int:
    if arguments:
        raise DevError("./dev run takes no arguments; PORT is an environment variable.")
    state = places.kept_state("run")
    with places.held_lock(state.folder / "run.lock") as ours:
        if not ours:
            raise DevError(
                f"This checkout's portal is already running: {_last_origin(state)}/\n"
                "Stop it with Ctrl-C where it was started."
            )
        return _serve(state)


def _serve(state: State) -> int:
    """Bring everything up, look after it until we are told to stop, and bring it down."""
    for log in state.folder.glob("*.log"):
        if log.stat().st_size > KEPT_LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
    programs: list[Program] = []
    servers = Servers(state, durable=True)
    try:
        servers.start()
        port = _choose_port()
        origin = environment.origin_at(port)
        sandbox_port = gateways.choose_port(state, port)
        variables = _kept_environment(state, servers, origin)
        sandbox = _sandbox(sandbox_port, state, variables, origin)
        programs.append(sandbox)
        sandbox.start()
        _await_port(sandbox_port, sandbox)  # the demo's customers pay there
        _prepare_data(variables, log=state.log("migrate"))

        (state.folder / "origin").write_text(origin)
        portal = _programs(port, state, variables)
        programs.extend(portal)
        for program in portal:
            program.start()
        parts: list[Part] = [*servers.ours, *programs]
        supervisor = Supervisor(parts)
        _await_first_page(port, portal[0], supervisor)
        _show_the_way(variables["PORTAL_ORIGIN"], state, sandbox_port)
        while True:
            supervisor.look_after()
            time.sleep(0.25)
    except KeyboardInterrupt:
        return 0
    finally:
        _bring_down(programs, servers)


def _choose_port() -> int:
    try:
        wanted = int(os.environ.get("PORT", DEFAULT_PORT))
    except ValueError:
        raise DevError(f"PORT is {os.environ['PORT']!r}; it has to be a number.") from None
    port = ports.next_free(wanted)
    if port != wanted:
        say(f"port {wanted} is taken, so the portal listens on {port}")
    return port


def _prepare_data(variables: Mapping[str, str], *, log: Path) -> None:
    """Bring the schema up to date, and fill an empty database with the demo data."""
    translations.compile_all()
    say("migrating the database")
    with log.open("wb") as output:
        code = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input"],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    if code != 0:
        raise DevError(f"The migrations did not go through:\n{tail(log)}")
    say("demo data, if the database is empty")
    code = _manage_py(["demo_data", "--if-empty"], variables, folder=ROOT)
    if code in INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        raise DevError(
            "The demo data could not be made; the reason is above. "
            "After mending it, run the same command again."
        )


def _programs(port: int, state: State, variables: Mapping[str, str]) -> list[Program]:
    web = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    web += ["--workers", "2", "--threads", "4", "--access-logfile", "-", "billing_portal.wsgi"]
    celery = ["celery", "-A", "billing_portal"]
    worker = [*celery, "worker", "-c", "2", "-Q", "default,pdf,gateway", "-l", "INFO"]
    beat = [*celery, "beat", "-s", str(state.folder / "beat"), "-l", "INFO"]
    beat += ["--pidfile="]  # ours to watch; a file left by a killed one would stop the next
    calls = {"web": web, "worker": worker, "beat": beat}
    return [Program(name, call, state=state, environment=variables) for name, call in calls.items()]


def _sandbox(port: int, state: State, variables: Mapping[str, str], origin: str) -> Program:
    """Return the payment companies' stand-in; what it knows stays in this state."""
    own = {**variables, **gateways.sandbox(state, port)}
    call = gateways.call(state, port, origin)
    return Program("sandbox", call, state=state, environment=own)


def _await_port(port: int, program: Program) -> None:
    """Wait until a program listens."""
    deadline = time.monotonic() + READY_PATIENCE
    while ports.is_free(port):
        if not program.is_alive() or time.monotonic() > deadline:
            raise DevError(f"The {program.name} does not start:\n{tail(program.log, 30)}")
        time.sleep(0.05)


def _await_first_page(port: int, web: Program, supervisor: Supervisor) -> None:
    """Wait until the portal answers; a web process that ends before is a failure, not a fault."""
    say("starting web, worker, beat and the gateway sandbox")
    deadline = time.monotonic() + READY_PATIENCE
    # 503 is an answer too: work has piled up while the portal was down, and is now being done.
    while (answer := _health(port)) not in (http.client.OK, http.client.SERVICE_UNAVAILABLE):
        if not web.is_alive():
            raise DevError(f"The web process ended:\n{tail(web.log, 30)}")
        if time.monotonic() > deadline:
            raise DevError(f"/healthz does not answer well ({answer}):\n{tail(web.log, 30)}")
        supervisor.look_after()
        time.sleep(0.1)


def _health(port: int) -> int | str:
    """Return the status of /healthz, or what went wrong on the way."""
    connection = http.client.HTTPConnection("localhost", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def _show_the_way(origin: str, state: State, sandbox_port: int) -> None:
    logs = state.folder.relative_to(ROOT)
    say(f"ready: {origin}/   (Ctrl-C stops it; logs are in {logs})", to=sys.stdout)
    print(f"PayPal and Paid are stood in for at {gateways.page(sandbox_port)}", flush=True)
    print(f"Staff read the mails that are sent at {origin}/mails/", flush=True)
    sign_ins = environment.demo_sign_ins(state)
    if sign_ins.exists():
        print(f"\n{sign_ins.read_text().strip()}\n", flush=True)


def _bring_down(programs: Sequence[Program], servers: Servers) -> None:
    """Stop everything in order; a second Ctrl-C cuts the waiting short."""
    hurry = False

    def hurry_up(_number: int, _frame: object) -> None:
        nonlocal hurry
        hurry = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hurry_up)
    say("stopping")
    stop_programs(programs, in_a_hurry=lambda: hurry)
    servers.stop()
    say("stopped")


def _manage(arguments: Sequence[str]) -> int:
    state = places.kept_state("run")
    servers = Servers(state, durable=True)
    with servers.shared():
        translations.compile_all()
        variables = _kept_environment(state, servers, _last_origin(state))
        folder = Path(os.environ.get("DEV_STARTED_IN", ROOT))
        return _manage_py(arguments, variables, folder=folder)


def _test(arguments: Sequence[str]) -> int:
    with places.throwaway_state("test") as state:
        servers = Servers(state, durable=False)
        with servers.running():
            translations.compile_all()
            variables = environment.portal_environment(
                "test",
                database_url=servers.database_url,
                redis_url=servers.redis_url,
                secret_key=environment.new_key(),
                origin=environment.origin_at(DEFAULT_PORT),
                gateways={},
            )
            # Never the user's own account: tests charge whom they like.
            variables |= gateways.nobody()
            call = [sys.executable, "-m", "pytest", *(arguments or WHOLE_SUITE)]
            return processes.run_in_foreground(call, environment=variables, folder=ROOT)


def _bench(arguments: Sequence[str]) -> int:
    if not arguments:
        names = sorted(file.stem for file in (ROOT / "benchmarks").glob("[a-z]*.py"))
        raise DevError(f"./dev bench NAME, with one of: {', '.join(names)}")
    name, *rest = arguments
    with places.throwaway_state("bench") as state:
        # Never the user's own servers: a benchmark fills tables with millions of rows.
        servers = Servers(state, durable=True, external=False)
        with servers.running():
            variables = environment.portal_environment(
                "development",
                database_url=servers.database_url,
                redis_url=servers.redis_url,
                secret_key=environment.new_key(),
                origin=environment.origin_at(DEFAULT_PORT),
                gateways={},
            )
            variables |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
            variables |= gateways.nobody()
            code = _manage_py(["migrate", "-v", "0"], variables, folder=ROOT)
            if code != 0:
                return code
            call = [sys.executable, "-m", f"benchmarks.{name}", *rest]
            return processes.run_in_foreground(call, environment=variables, folder=ROOT)


def _pictures(_arguments: Sequence[str]) -> int:
    state = places.kept_state("run")
    sign_ins = environment.demo_sign_ins(state)
    if not sign_ins.exists():
        raise DevError("./dev pictures photographs the demo portal: start it with ./dev run first.")
    call = [sys.executable, "-m", "devstack.pictures", _last_origin(state), str(sign_ins)]
    return processes.run_in_foreground(call, environment=dict(os.environ), folder=ROOT)


def _manage_py(arguments: Sequence[str], variables: Mapping[str, str], *, folder: Path) -> int:
    call = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return processes.run_in_foreground(call, environment=variables, folder=folder)


def _kept_environment(state: State, servers: Servers, origin: str) -> dict[str, str]:
    """Return the environment in which the portal's kept data are used."""
    port = gateways.kept_port(state)
    variables = environment.portal_environment(
        "development",
        database_url=servers.database_url,
        redis_url=servers.redis_url,
        secret_key=environment.kept_key(state),
        origin=origin,
        gateways=gateways.sandbox(state, port) if port else gateways.nobody(),
    )
    return {"DEMO_SIGNINS_FILE": str(environment.demo_sign_ins(state))} | variables


def _last_origin(state: State) -> str:
    """Return where this checkout's portal listens, or last did."""
    origin = state.folder / "origin"
    return origin.read_text() if origin.exists() else environment.origin_at(DEFAULT_PORT)
