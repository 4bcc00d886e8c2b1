"""Each call that modelet sends to AWS is, on the wire, the one that botocore sends for the same operation; and is signed as botocore signs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from as_botocore import Sent, by_botocore, service_of, signature
from clouds import ACCOUNT, KEYS, REGION, Call, Cloud
from harness import ROOT
from proofs import BOTOCORE, proof
from test_aws_lambda import DEPLOY, NAME, artifacts, cloud, empty, enlarged  # noqa: F401 (fixtures)

#: What every service looks at, beside the signature.
HEADERS = ("x-amz-target", "x-amz-invocation-type", "x-amz-checksum-crc32")
#: moto does not keep instances ready, so there are none to take away.
UNSEEN = {"DeleteProvisionedConcurrencyConfig"}
#: Of roles that have policies of their own: test_sagemaker.py has those.
OF_SAGEMAKER = {"DeleteRolePolicy", "ListRolePolicies", "PutRolePolicy"}
#: What looks like an operation in the sources, and is none.
WORDS = {"InvokeMode", "Tags", "TagSet"}


@pytest.fixture
def calls(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> list[Call]:
    """All kinds of calls: a function's whole life."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    elsewhere = ("--to", "aws-lambda")
    cloud.cli("deploy", artifacts["triggers"], *DEPLOY, "--url", "none", "--reserved-concurrency", "5", "--log-days", "7")
    cloud.cli("deploy", artifacts["two"], *DEPLOY, "--url", "iam", "--canary", "10")
    cloud.cli("rollback", NAME, *elsewhere)
    cloud.cli("invoke", NAME, "[[1, 2]]", *elsewhere)
    cloud.cli("logs", NAME, *elsewhere)
    cloud.cli("deploy", artifacts["one"], *DEPLOY, "--bucket", "code", "--log-days", "30")
    # moto does not have it: what is asked is looked at, and what comes back is a failure.
    cloud.cli("deploy", artifacts["one"], *DEPLOY, "--provisioned-concurrency", "2", code=1)
    cloud.cli("delete", NAME, *elsewhere, "--yes")
    # A deploy that fails puts back what was there before: no retention, no concurrency.
    other = ("deploy", enlarged(artifacts["one"], tmp_path / "large.zip"), *DEPLOY, "--name", "other")
    cloud.cli(*other)
    cloud.client("logs").delete_retention_policy(logGroupName="/aws/lambda/other")
    cloud.cli(*other, "--reserved-concurrency", "5", "--provisioned-concurrency", "2", code=1)
    # In the name of a role.
    profile = f"[profile role]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/deployer\ncredential_source = Environment\n"
    (cloud.work / ".aws").mkdir(exist_ok=True)
    (cloud.work / ".aws" / "config").write_text(profile)
    cloud.cli("delete", "other", *elsewhere, "--yes", "--profile", "role")
    return cloud.proxy.taken()


@proof("AWS Lambda", "each call of the command line", BOTOCORE)
def test_each_call_is_what_botocore_sends(cloud: Cloud, calls: list[Call]) -> None:
    seen: dict[str, Sent] = {}
    for call in calls:
        xml = xml_parameters(call) if service_of(call) == "s3" and call.body.startswith(b"<") else {}
        sent = by_botocore(cloud, call, xml)
        seen[sent.operation] = sent
        about = f"{sent.operation}\n{call.method} {call.target}\n{sent.method} {sent.path} {sent.query}"
        assert call.method == sent.method, about
        assert call.target.partition("?")[0].rstrip("/") == sent.path.rstrip("/"), about
        assert sorted(call.query) == sorted(pair for pair in sent.query if pair[0] not in ("x-id", "encoding-type")), about
        for header in HEADERS:
            if header == "x-amz-checksum-crc32" and header not in sent.headers:
                continue
            assert call.headers.get(header) == sent.headers.get(header), f"{about}\n{header}"
        assert same(call, sent), f"{about}\n{call.body[:2000]!r}\n{sent.body[:2000]!r}"
    assert operations() - set(seen) - OF_SAGEMAKER == UNSEEN


def operations() -> set[str]:
    """The operations that modelet's own sources name, of the services that this target calls."""
    aws = ROOT / "crates" / "cloud" / "src" / "aws"
    files = [aws / f"{name}.rs" for name in ("iam", "lambda", "logs", "events", "s3")] + list((aws / "lambda").glob("*.rs"))
    verbs = "Add|Attach|Create|Delete|Describe|Detach|Filter|Get|Head|Invoke|List|Publish|Put|Remove|Tag|Update"
    return {name for file in files for name in re.findall(rf'"((?:{verbs})[A-Za-z0-9]*)"', file.read_text())} - WORDS


@proof("AWS Lambda", "each call's signature", BOTOCORE)
def test_each_call_is_signed_as_botocore_signs(cloud: Cloud, calls: list[Call]) -> None:
    for call in calls:
        if KEYS["AWS_ACCESS_KEY_ID"] not in call.headers["authorization"]:
            # By a role, whose key the test does not know.
            continue
        said = re.search(r"Signature=([0-9a-f]{64})$", call.headers["authorization"]).group(1)
        assert said == signature(cloud, call), f"{call.method} {call.target}"
        assert call.headers["x-amz-security-token"] == "t0ken-t0ken"


def same(call: Call, sent: Sent) -> bool:
    """True for bodies that say the same."""
    kind = sent.headers.get("content-type", "")
    if service_of(call) == "s3" and call.body.startswith(b"<"):
        return elements(call.body) == elements(sent.body)
    if service_of(call) == "s3" or call.path.endswith("/invocations"):
        return call.body == sent.body or b"x-amz-checksum" in sent.body
    if "urlencoded" in kind:
        return Call("POST", "/", (), {"content-type": kind}, sent.body, "/").parsed() == call.parsed()
    return json.loads(sent.body or b"{}") == json.loads(call.body or b"{}")


def elements(body: bytes) -> Any:
    """A document as what stands in what, whatever the order."""
    def tree(node: ElementTree.Element) -> tuple:
        return node.tag.rsplit("}", 1)[-1], (node.text or "").strip(), sorted(map(tree, node))

    return tree(ElementTree.fromstring(body))


def xml_parameters(call: Call) -> dict[str, dict]:
    """What a call to S3 says in XML, by operation."""
    root = ElementTree.fromstring(re.sub(rb' xmlns="[^"]+"', b"", call.body))
    bucket = call.path.strip("/")
    text = lambda node, name: node.findtext(name)  # noqa: E731
    tags = [{"Key": text(tag, "Key"), "Value": text(tag, "Value")} for tag in root.iter("Tag")]
    called = [
        {
            "Id": text(node, "Id"),
            "LambdaFunctionArn": text(node, "CloudFunction"),
            "Events": [event.text for event in node.iter("Event")],
            "Filter": {"Key": {"FilterRules": [{"Name": text(rule, "Name"), "Value": text(rule, "Value")} for rule in node.iter("FilterRule")]}},
        }
        for node in root.iter("CloudFunctionConfiguration")
    ]
    notifications = {"LambdaFunctionConfigurations": called} if called else {}
    return {
        "CreateBucket": {"Bucket": bucket, "CreateBucketConfiguration": {"LocationConstraint": root.findtext("LocationConstraint")}},
        "PutBucketTagging": {"Bucket": bucket, "Tagging": {"TagSet": tags}},
        "PutBucketNotificationConfiguration": {"Bucket": bucket, "NotificationConfiguration": notifications},
    }
