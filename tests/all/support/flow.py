"""Serves the deployment `rust-test-flow/rust-test` of a real flow until standard input closes, and then
removes the folder that it is given.

Its runs are executed in this process, each in a thread: a process for each would take a second to start.
It goes on when its server is away for up to a minute. It does not look for runs that are being cancelled.
"""

import os
import shutil
import sys
import threading
import time
from datetime import datetime, timezone

os.environ["PREFECT_CLIENT_MAX_RETRIES"] = "200"

import prefect.client.base as base
from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Pending

POLL_SECONDS = 0.1

# Prefect's clients wait 2, 4, 8 … seconds between attempts, and a client that has not yet reached its
# server does not try a second time, so that a run that starts while the server is away would be lost.
base.clamped_poisson_interval = lambda average, *_: min(average, 0.5)
for client_class in base.PrefectHttpxSyncClient, base.PrefectHttpxAsyncClient:
    client_class._has_connected = property(lambda _: True, lambda _, connected: None)


@flow(name="rust-test-flow")
def job(lines: int = 50, seconds: float = 0.0, fail: bool = False):
    logger, pause = get_run_logger(), seconds / (lines + 1)
    time.sleep(pause)
    for line in range(lines):
        logger.info("line %d", line)
        time.sleep(pause)
    if fail:
        raise RuntimeError("asked to fail")


def execute(run_id):
    try:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(run_id)
        # Otherwise a thread that sends heartbeats holds up the last log line for a second. (No value of
        # the environment variable switches it off.)
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            run_flow(flow=job, flow_run=run, parameters=run.parameters, return_type="state")
    except BaseException as error:
        print(f"run {run_id}: {error!r}", file=sys.stderr)


def due_runs(client, deployment):
    # Not as runners do, by `get_scheduled_flow_runs`: that writes to the database each time, and locks it.
    due = {"before_": datetime.now(timezone.utc)}
    scheduled = {"type": {"any_": ["SCHEDULED"]}}
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(id={"any_": [deployment]}),
        flow_run_filter=FlowRunFilter(state=scheduled, next_scheduled_start_time=due),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
        limit=20,
    )


def serve(client, deployment):
    while True:
        for run in due_runs(client, deployment):
            answer = client.set_flow_run_state(run.id, Pending())
            # When the reply to a first attempt is lost, the second is refused, and the state is ours.
            refused = answer.status == SetStateStatus.REJECT
            if answer.status == SetStateStatus.ACCEPT or refused and answer.state.is_pending():
                threading.Thread(target=execute, args=(run.id,), daemon=True).start()
        time.sleep(POLL_SECONDS)


def serve_for_ever(deployment):
    while True:
        try:
            with get_client(sync_client=True) as client:
                serve(client, deployment)
        except Exception as error:
            print(f"polling: {error!r}", file=sys.stderr)
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    deployment = job.to_deployment(name="rust-test").apply()
    print("READY", deployment, flush=True)
    threading.Thread(target=serve_for_ever, args=(deployment,), daemon=True).start()
    while os.read(sys.stdin.fileno(), 4096):
        pass
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)
