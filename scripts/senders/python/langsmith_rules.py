"""Sends one webhook by the policy of LangSmith's rules, with nothing but settings of httpx and tenacity.

  langsmith_rules.py FILE URL [HEADERS]

HEADERS has a "name: value" on each line.
"""

import asyncio
import pathlib
import sys

import httpx
import tenacity


def server_error(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code >= 500


# Three attempts in all, 1 s and 2 s apart: only a 5xx is tried again, never a timeout.
@tenacity.retry(
    retry=tenacity.retry_if_exception(server_error),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_exponential(multiplier=1),
    reraise=True,
)
async def post(client: httpx.AsyncClient, url: str, body: bytes) -> None:
    response = await client.post(url, content=body)
    response.raise_for_status()


async def main(path: str, url: str, lines: str = "") -> None:
    headers = {"Content-Type": "application/json"} | dict(line.split(": ", 1) for line in lines.splitlines())
    # The transport's retries are of connecting only.
    transport = httpx.AsyncHTTPTransport(retries=2)
    async with httpx.AsyncClient(transport=transport, timeout=5.0, headers=headers) as client:
        await post(client, url, pathlib.Path(path).read_bytes())


try:
    asyncio.run(main(*sys.argv[1:]))
except httpx.HTTPError as error:
    sys.exit(f"{type(error).__name__}: {error}")
