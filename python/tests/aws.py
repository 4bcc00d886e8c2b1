"""Clients of AWS as their users have them, told nothing but where the platform is."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from harness import PATIENCE_S, Platform

#: What clients want to be told and nobody here looks at.
ACCOUNT = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "t0ken"}
REGION = "eu-west-1"


def lambda_client(url: str, *, attempts: int = 1) -> Any:
    """boto3's client of Lambda; it tries as often as it is told."""
    config = Config(retries={"total_max_attempts": attempts}, read_timeout=PATIENCE_S, proxies={})
    keys = {name.lower(): value for name, value in ACCOUNT.items()}
    return boto3.client("lambda", endpoint_url=url, region_name=REGION, config=config, **keys)


def environment(platform: Platform) -> dict[str, str]:
    """What the AWS command line sees."""
    # Its own files, and none of the user's.
    own = {"AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return platform.environment() | ACCOUNT | own | {"NO_PROXY": "*"}
