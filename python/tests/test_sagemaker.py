"""`modelet deploy --to sagemaker` and what follows, against moto and a real registry; what boto3 then reads is what was planned."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import as_botocore
import pytest
from clouds import ACCOUNT, REGION, Call
from containers import Podman, needs_containers
from endpoints import Moods, Sagemaker, there
from harness import ROOT, Platform, toml
from repositories import HOST
from proofs import BOTOCORE, CONTAINERS, DOCUMENTATION, MOTO, proof
from test_aws_lambda import packaged

pytestmark = needs_containers

NAME = "iris"
THERE = ("--to", "sagemaker")
DEPLOY = (*THERE, "--yes")
LAMBDA_IMAGE = ("--to", "aws-lambda", "--image", "--yes")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sagemaker]:
    running = Sagemaker(tmp_path_factory.mktemp("sagemaker"))
    yield running
    running.close()


@pytest.fixture(autouse=True)
def empty(cloud: Sagemaker) -> None:
    cloud.reset()


@pytest.fixture(scope="module")
def artifacts(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The artifact of one model as it is, with other settings, and as others may not have it."""
    work = tmp_path_factory.mktemp("artifacts")
    said = {
        "one": {},
        "two": {"settings": {"memory_mib": 3072, "max_instances": 20}, "env": {"MODE": "fast"}},
        **{f"v{number}": {"env": {"MODE": str(number)}} for number in range(3, 7)},
    }
    model = ROOT / "examples" / "iris"
    return {word: packaged(platform, model, toml(more) if more else "", work / f"{word}.zip") for word, more in said.items()}


def words(plan: dict) -> list[str]:
    """A plan's steps."""
    return [f"{step['change']} {step['what']}" for step in plan["plan"]["steps"]]


@proof("SageMaker", "deploying a serverless endpoint and removing it", MOTO)
def test_from_nothing_to_deployed_what_boto3_reads_is_what_the_plan_said(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    before = there(cloud)
    plan = cloud.json("deploy", artifacts["one"], *THERE, "--plan", code=2)
    assert there(cloud) == before, "a plan changes nothing"
    log, repository = "/aws/sagemaker/Endpoints/iris", "modelet/sagemaker/iris"
    [role] = {step["what"] for step in plan["plan"]["steps"] if step["what"].startswith("role ")}
    assert words(plan) == [
        f"create log group {log}",
        f"change log group {log}",
        f"create {role}",
        f"change {role}",
        f"create repository {repository}",
        f"create image in {repository}",
        "create model iris-1",
        "create endpoint config iris-1",
        "create endpoint iris",
    ]

    done = cloud.json("deploy", artifacts["one"], *DEPLOY)
    assert words(done) == words(plan)
    seen = there(cloud)
    model = seen["models"]["iris-1"]
    assert model["role"] == f"arn:aws:iam::{ACCOUNT}:role/{role.removeprefix('role ')}"
    assert model["image"].startswith(f"{HOST}/{repository}@sha256:")
    assert model["tags"]["modelet:function"] == NAME and model["image"].endswith(model["tags"]["modelet:artifact"])
    [variant] = seen["configs"]["iris-1"][0]
    assert variant["ModelName"] == "iris-1"
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 4}
    config, tags = seen["endpoints"][NAME]
    assert config == "iris-1" and tags["modelet:managed"] == "true"
    [(trust, policies, attached, _)] = seen["roles"].values()
    assert trust["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"} and not attached
    allowed = {json.dumps(statement["Resource"]): statement["Action"] for policy in policies.values() for statement in policy["Statement"]}
    assert allowed == {
        '"*"': ["ecr:GetAuthorizationToken"],
        f'"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}"': [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ],
        f'"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log}:*"': ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
    }
    assert seen["logs"][log][0] == 30
    status = done["status"]
    assert (status["state"], status["traffic"], status["versions"]) == ("InService", {"version": "1", "canary": None}, ["1"])
    assert status["settings"] == [["memory", "1024 MB"], ["calls at once", "4"]]

    again = cloud.json("deploy", artifacts["one"], *THERE, "--plan")
    assert again["plan"]["steps"] == [], "what is there needs nothing, and the exit code is 0"
    cloud.cli("delete", NAME, *DEPLOY)
    assert there(cloud) == before
    assert "there is nothing of an endpoint iris" in cloud.cli("delete", NAME, *DEPLOY, code=1).stderr


@proof("SageMaker", "its image is in a registry as SageMaker reads it: named in Docker's words, by its digest", CONTAINERS)
def test_the_image_lies_in_the_registry_in_dockers_words(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    image = there(cloud)["models"]["iris-1"]["image"]
    manifest = cloud.manifest(image)
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    kinds = {blob["mediaType"] for blob in [manifest["config"], *manifest["layers"]]}
    assert kinds == {"application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"}
    podman = Podman()
    try:
        podman.pull(image.replace(HOST, f"{cloud.registry.host}"), login=f"AWS:{ACCOUNT}-auth-token")
    finally:
        podman.close()

    # Only the function's own layer, the config and the manifest are new.
    uploads = len(cloud.registry.log.read_text().split("PUT"))
    cloud.cli("deploy", artifacts["v3"], *DEPLOY)
    newer = there(cloud)["models"]["iris-2"]["image"]
    shared = {layer["digest"] for layer in manifest["layers"]} & {layer["digest"] for layer in cloud.manifest(newer)["layers"]}
    assert shared == {manifest["layers"][0]["digest"]}, "the runtime's"
    assert uploads < len(cloud.registry.log.read_text().split("PUT"))


@proof("SageMaker", "what was deployed answers as its containers do", DOCUMENTATION)
def test_a_model_is_deployed_at_once_and_its_image_answers(cloud: Sagemaker, platform: Platform) -> None:
    """The argument `serve`, /ping and /invocations; as nobody, on a read-only root."""
    model, rows = ROOT / "examples" / "iris", [[5.1, 3.5, 1.4, 0.2]]
    expected = platform.deploy(model, "iris-expected").post({"instances": rows}).json()
    cloud.cli("deploy", model, *DEPLOY)
    assert cloud.json("deploy", model, *THERE, "--plan")["plan"]["steps"] == [], "the same files are the same image"
    podman = Podman()
    try:
        image = there(cloud)["models"]["iris-1"]["image"].replace(HOST, cloud.registry.host)
        podman.pull(image, login=f"AWS:{ACCOUNT}-auth-token")
        hosted = podman.start(image, "serve", probe="/ping", SAGEMAKER_BIND_TO_PORT="PORT")
        assert hosted.http.post("/invocations", json={"instances": rows}).json() == expected
        assert hosted.stop() == 0
    finally:
        podman.close()


@proof("SageMaker", "updating an endpoint and rolling it back (UpdateEndpoint, which moto has not)", DOCUMENTATION)
def test_updated_rolled_back_and_old_versions_swept(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    cloud.moods = Moods(states=["InService", "InService", "InService", "Updating", "Updating"])
    done = cloud.json("deploy", artifacts["two"], *DEPLOY)
    assert words(done) == [
        "create image in modelet/sagemaker/iris",
        "create model iris-2",
        "create endpoint config iris-2",
        "change endpoint iris",
    ]
    assert done["status"]["traffic"]["version"] == "2"
    assert done["status"]["settings"] == [["memory", "3072 MB"], ["calls at once", "20"]]
    assert there(cloud)["endpoints"][NAME][0] == "iris-2"

    assert cloud.json("rollback", NAME, *THERE) == {"version": "1", "canary": None}
    assert there(cloud)["endpoints"][NAME][0] == "iris-1"
    assert "there is no version before 1" in cloud.cli("rollback", NAME, *THERE, code=1).stderr
    back = cloud.json("deploy", artifacts["two"], *DEPLOY)
    assert words(back) == ["change endpoint iris"], "what was made is not made again"

    for number in range(3, 7):
        cloud.cli("deploy", artifacts[f"v{number}"], *DEPLOY, "--keep-versions", "3")
    seen = there(cloud)
    assert len(seen["repositories"]["modelet/sagemaker/iris"][1]) == 5, "images go with their versions"
    assert set(seen["models"]) == set(seen["configs"]) == {f"iris-{number}" for number in range(2, 7)}
    cloud.cli("delete", NAME, *DEPLOY)
    assert not any(there(cloud).values())


@proof("SageMaker", "an apply that is killed is gone on with, one that fails is taken back", MOTO)
def test_killed_at_each_step_and_deployed_again_it_comes_to_the_same(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    first, second = (("deploy", artifacts[word], *DEPLOY) for word in ("one", "two"))
    cloud.cli(*first)
    made = there(cloud)
    cloud.cli(*second)
    changed = there(cloud)

    def killed_all_along(before: list[tuple], deploy: tuple, end: dict) -> int:
        step = 1
        while True:
            cloud.reset()
            for earlier in before:
                cloud.cli(*earlier)
            if not cloud.killed_after(step, *deploy):
                return step - 1
            cloud.cli(*deploy)
            assert there(cloud) == end, f"killed after write {step}"
            step += 1

    assert killed_all_along([], first, made) >= 8
    assert killed_all_along([first], second, changed) >= 3


@proof("SageMaker", "an apply that is killed is gone on with, one that fails is taken back", MOTO)
def test_a_step_that_fails_is_taken_back_with_those_before_it(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    nothing = there(cloud)
    deploy = ("deploy", artifacts["one"], *DEPLOY)

    def fails_at(number: int) -> None:
        writes = 0

        def fail(call: Call) -> int | None:
            nonlocal writes
            writes += call.writes
            return 403 if call.writes and writes == number else None

        cloud.proxy.fail = fail

    for number in range(1, 9):
        fails_at(number)
        refused = cloud.cli(*deploy, code=1).stderr
        assert "target-denied" in refused and (number == 1 or "taken back" in refused), refused
        cloud.proxy.fail = lambda _: None
        assert there(cloud) == nothing, f"write {number} failed\n{refused}"


def test_of_two_deploys_at_once_one_is_refused(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    """Another one makes a model of the same number, just before."""
    sagemaker = cloud.client("sagemaker")

    def theirs(call: Call) -> None:
        if call.operation == "CreateModel":
            tags = [{"Key": "modelet:managed", "Value": "true"}, {"Key": "modelet:function", "Value": NAME}]
            container = {"Image": f"{HOST}/theirs@sha256:{'a' * 64}"}
            sagemaker.create_model(ModelName="iris-1", PrimaryContainer=container, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/theirs", Tags=tags)

    cloud.proxy.fail = theirs
    refused = cloud.cli("deploy", artifacts["one"], *DEPLOY, code=1).stderr
    assert "somebody else made" in refused and "model/iris-1 while this was deployed" in refused and "taken back" in refused
    seen = there(cloud)
    assert set(seen["models"]) == {"iris-1"} and not seen["endpoints"] and not seen["repositories"]


@proof("SageMaker", "endpoints that fail to start, or go back, are told and taken back", DOCUMENTATION)
def test_what_does_not_come_to_answer_is_told_with_its_reason_and_taken_back(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    cloud.moods = Moods(states=["Creating", "Creating", "Failed", "Failed"], reason="The container did not pass the ping health check")
    refused = cloud.cli("deploy", artifacts["one"], *DEPLOY, code=1).stderr
    assert "the endpoint iris is Failed, and not InService: The container did not pass" in refused
    assert "modelet logs iris --to sagemaker" in refused and "taken back" in refused
    assert not any(there(cloud).values())

    cloud.moods = Moods()
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    before = there(cloud)
    cloud.moods = Moods(reason="The container did not pass the ping health check", goes_back=True)
    refused = cloud.cli("deploy", artifacts["two"], *DEPLOY, code=1).stderr
    assert "the endpoint iris went back to iris-1: The container did not pass" in refused
    assert there(cloud) == before


def test_calls_and_logs(cloud: Sagemaker, artifacts: dict[str, Path], tmp_path: Path) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    cloud.proxy.taken()
    cloud.cli("invoke", NAME, '{"instances": [[1, 2, 3, 4]]}', *THERE)
    [call] = [call for call in cloud.proxy.taken() if call.path.endswith("/invocations")]
    assert (call.path, call.body) == ("/endpoints/iris/invocations", b'{"instances": [[1, 2, 3, 4]]}')
    assert call.headers["content-type"] == "application/json"
    (tmp_path / "rows.csv").write_text("1,2,3,4\n")
    cloud.cli("invoke", NAME, f"@{tmp_path / 'rows.csv'}", "--accept", "text/csv", *THERE)
    [call] = [call for call in cloud.proxy.taken() if call.path.endswith("/invocations")]
    assert (call.headers["content-type"], call.headers["accept"], call.body) == ("text/csv", "text/csv", b"1,2,3,4\n")
    large = tmp_path / "large.json"
    large.write_text(json.dumps("x" * (4 << 20)))
    assert "SageMaker takes 4194304 bytes in a call" in cloud.cli("invoke", NAME, f"@{large}", *THERE, code=1).stderr
    assert "has one version at a time" in cloud.cli("traffic", NAME, *THERE, "--canary", "10", code=1).stderr
    logs, group, now = cloud.client("logs"), "/aws/sagemaker/Endpoints/iris", int(time.time() * 1000)
    logs.create_log_stream(logGroupName=group, logStreamName="live/1")
    logs.put_log_events(logGroupName=group, logStreamName="live/1", logEvents=[{"timestamp": now, "message": "ready\n"}])
    assert cloud.cli("logs", NAME, *THERE).stdout.rstrip().endswith("live/1 ready")


@proof("SageMaker", "each call to SageMaker and ECR is what botocore sends", BOTOCORE)
def test_each_call_is_what_botocore_sends(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    cloud.cli("deploy", artifacts["two"], *DEPLOY)
    cloud.cli("delete", NAME, *DEPLOY)
    seen = set()
    for call in cloud.proxy.taken():
        sent = as_botocore.by_botocore(cloud, call, {})
        seen.add(sent.operation)
        assert (call.method, call.path) == (sent.method, sent.path)
        assert call.headers.get("x-amz-target") == sent.headers.get("x-amz-target")
        if "x-amz-target" in call.headers:
            assert json.loads(sent.body) == call.parsed()
        assert as_botocore.signature(cloud, call) in call.headers["authorization"], sent.operation
    for operation in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "DescribeEndpoint", "ListTags"):
        assert operation in seen
    assert {"CreateRepository", "DeleteRepository", "GetAuthorizationToken", "DescribeRepositories", "PutRolePolicy", "DeleteRolePolicy"} < seen


def test_what_others_made_is_not_touched(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    sagemaker = cloud.client("sagemaker")
    arn = sagemaker.describe_endpoint(EndpointName=NAME)["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["modelet:managed"])
    before = there(cloud)
    for command in (("deploy", artifacts["two"], *DEPLOY), ("delete", NAME, *DEPLOY), ("rollback", NAME, *THERE)):
        said = cloud.cli(*command, code=1).stderr
        assert "modelet did not make" in said or "not made by modelet" in said
    assert there(cloud) == before


def test_what_sagemaker_does_not_have_is_refused_before_anything_is_sent(cloud: Sagemaker, artifacts: dict[str, Path], tmp_path: Path) -> None:
    def refused(change: dict, *options: str) -> str:
        with zipfile.ZipFile(artifacts["one"]) as old:
            files = {entry: old.read(entry) for entry in old.infolist()}
        target = tmp_path / "changed.zip"
        with zipfile.ZipFile(target, "w") as new:
            for entry, content in files.items():
                if entry.filename == "artifact.json":
                    card = json.loads(content)
                    card["manifest"] |= change.get("manifest", {})
                    card["settings"] |= change.get("settings", {})
                    content = json.dumps(card)
                new.writestr(entry, content)
        cloud.proxy.taken()
        said = cloud.cli("deploy", target, *DEPLOY, *options, code=1).stderr
        assert not any(call.writes for call in cloud.proxy.taken())
        return said

    assert "there is no secret partner in AWS Secrets Manager of eu-west-1" in refused({"manifest": {"secrets": {"API_KEY": "partner"}}})
    asked = {"manifest": {"settings": {"memory_mib": 1536}}}
    assert "has memory_mib of 1024 to 6144 in steps of 1024, not 1536" in refused(asked)
    assert "needs 7000 MiB of memory, and a serverless endpoint has up to 6144" in refused({"settings": {"memory_mib": 7000}})
    assert "has up to 200 instances, and iris has max_instances = 300" in refused({"settings": {"max_instances": 300}})
    schedule = {"kind": "schedule", "schedule": "rate(5 minutes)"}
    assert "is called by its clients alone" in refused({"manifest": {"triggers": [schedule]}})
    assert "5 instances are to be kept ready, and iris has up to 4" in refused({}, "--provisioned-concurrency", "5")
    assert "has one version at a time" in refused({}, "--canary", "10")
    assert "has no --url" in refused({}, "--url", "none")
    assert "does not say its digest" in refused({}, "--image", "iris:1")
    assert "takes container images" not in refused({}, "--image", f"r.example/iris@sha256:{'a' * 64}")


@proof("SageMaker", "secrets are named by reference, and their values are nowhere", MOTO)
def test_a_model_names_its_secret_and_its_role_may_read_it(cloud: Sagemaker, platform: Platform, tmp_path: Path) -> None:
    platform.cli("secret", "set", "partner-key", stdin="of the platform")
    artifact = packaged(platform, ROOT / "examples" / "iris", toml({"secrets": {"API_KEY": "partner-key"}}), tmp_path / "secret.zip")
    arn = cloud.client("secretsmanager").create_secret(Name="partner-key", SecretString="hush-7f3a91")["ARN"]
    plan = cloud.json("deploy", artifact, *THERE, "--plan", code=2)["plan"]["steps"]
    assert any(step["why"] == "may read its image and secret partner-key and write its log, and nothing else" for step in plan)
    cloud.cli("deploy", artifact, *DEPLOY)
    container = cloud.client("sagemaker").describe_model(ModelName="iris-1")["PrimaryContainer"]
    assert container["Environment"] == {"MODELET_SECRET_API_KEY": arn}
    seen = there(cloud)
    [(_, policies, _, _)] = seen["roles"].values()
    statements = [statement for policy in policies.values() for statement in policy["Statement"]]
    assert {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn} in statements
    assert cloud.json("deploy", artifact, *THERE, "--plan")["plan"]["steps"] == []
    assert "hush" not in json.dumps(seen, default=str) and not any(b"hush" in call.body for call in cloud.proxy.taken())


@proof("AWS Lambda", "an image is made of a function, brought to ECR and deployed", MOTO)
def test_lambda_takes_the_image_too(cloud: Sagemaker, artifacts: dict[str, Path]) -> None:
    before = there(cloud)
    done = cloud.json("deploy", artifacts["one"], *LAMBDA_IMAGE)
    assert "create repository modelet/aws-lambda/iris" in words(done) and "create image in modelet/aws-lambda/iris" in words(done)
    told = cloud.client("lambda").get_function(FunctionName=NAME)
    assert told["Configuration"]["PackageType"] == "Image"
    assert cloud.manifest(told["Code"]["ImageUri"])["schemaVersion"] == 2
    assert cloud.json("deploy", artifacts["one"], *LAMBDA_IMAGE)["plan"]["steps"] == []
    newer = cloud.json("deploy", artifacts["v3"], *LAMBDA_IMAGE)
    assert "create image in modelet/aws-lambda/iris" in words(newer) and newer["status"]["traffic"]["version"] == "2"
    cloud.cli("delete", NAME, "--to", "aws-lambda", "--yes")
    assert there(cloud) == before


def test_the_plan_says_price_and_permissions(cloud: Sagemaker, artifacts: dict[str, Path], tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    traffic = ("--calls-per-month", "1000000", "--ms-per-call", "100")
    said = cloud.cli("deploy", artifacts["two"], *THERE, "--plan", *traffic, "--policy", policy, code=2).stdout
    assert "6.00 USD a month" in said and "SageMaker Serverless Inference: iris in account" in said
    statements = json.loads(policy.read_text())["Statement"]
    [passed] = [statement for statement in statements if statement["Action"] == "iam:PassRole"]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert passed["Resource"].startswith(f"arn:aws:iam::{ACCOUNT}:role/modelet-iris-")
    allowed = {action for statement in statements for action in (statement["Action"] if isinstance(statement["Action"], list) else [])}
    assert {"sagemaker:CreateEndpoint", "ecr:PutImage", "ecr:GetAuthorizationToken", "logs:PutRetentionPolicy"} < allowed
    ready = cloud.cli("deploy", artifacts["two"], *THERE, "--plan", *traffic, "--provisioned-concurrency", "2", code=2).stdout
    assert "the card has no price of instances that are kept ready" in ready
