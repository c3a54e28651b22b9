"""The client in Python: Prefect's own, async or sync. `client.rs` does the same in Rust."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from prefect.client.orchestration import get_client

PAGE = 200


def begin():
    """Says that the first reply is there, and waits until the work is wanted."""
    print("ready", flush=True)
    sys.stdin.readline()


def end(done):
    """Says how much was done. The process is kept until its memory is read."""
    print(done, flush=True)
    sys.stdin.readline()


async def main_async(work, count, in_flight, id):
    async with get_client() as client:
        await client.read_flow_run(id)
        begin()
        if work == "calls":
            done = await calls_async(client, count, in_flight, id)
        else:
            done = await stream_async(client)
        end(done)


async def calls_async(client, count, in_flight, id):
    done = 0
    # Batches take three quarters of the CPU time of 64 tasks that go on call by call, or of a semaphore: those keep the
    # queue for the 16 connections long, and httpx goes through it at each call.
    for at in range(0, count, in_flight):
        batch = range(at, min(at + in_flight, count))
        runs = await asyncio.gather(*(client.read_flow_run(id) for _ in batch))
        assert all(run.id == id for run in runs)
        done += len(runs)
    return done


async def stream_async(client):
    done = 0
    while page := await client.read_flow_runs(limit=PAGE, offset=done):
        for run in page:
            assert run.id
        done += len(page)
    return done


def main_sync(work, count, in_flight, id):
    with get_client(sync_client=True) as client:
        client.read_flow_run(id)
        begin()
        if work == "calls":
            done = calls_sync(client, count, in_flight, id)
        else:
            done = stream_sync(client)
        end(done)


def calls_sync(client, count, in_flight, id):
    if in_flight == 1:
        return sum(client.read_flow_run(id).id == id for _ in range(count))
    with ThreadPoolExecutor(in_flight) as threads:
        runs = threads.map(lambda _: client.read_flow_run(id), range(count))
        return sum(run.id == id for run in runs)


def stream_sync(client):
    done = 0
    while page := client.read_flow_runs(limit=PAGE, offset=done):
        for run in page:
            assert run.id
        done += len(page)
    return done


if __name__ == "__main__":
    kind, work, count, in_flight, id = sys.argv[1:]
    arguments = work, int(count), int(in_flight), UUID(id)
    if kind == "async":
        asyncio.run(main_async(*arguments))
    else:
        main_sync(*arguments)
