#!/usr/bin/python3
"""postfix-mta-sts-resolver at its best, for bench/policyd.py: its own responder under uvloop, the policies of so many
domains p0.test and so on in its own memory cache.

    bench/sts_resolver.py PORT DOMAINS
"""

import asyncio
import sys
import time

import uvloop
from postfix_mta_sts_resolver import utils
from postfix_mta_sts_resolver.base_cache import CacheEntry
from postfix_mta_sts_resolver.responder import STSSocketmapResponder


async def serve(port, domains):
    config = utils.populate_cfg_defaults({
        "host": "127.0.0.1", "port": port, "cache": {"type": "internal", "options": {"cache_size": 2 * domains}},
        "cache_grace": 86400})
    cache = utils.create_cache(config["cache"]["type"], config["cache"]["options"])
    await cache.setup()
    for number in range(domains):
        policy = {"version": "STSv1", "mode": "enforce", "mx": [f"mx.p{number}.test"], "max_age": 864000}
        await cache.set(f"p{number}.test", CacheEntry(time.time(), "1", policy))
    await STSSocketmapResponder(config, asyncio.get_running_loop(), cache).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
