"""`modelet deploy --to aws-lambda` and what follows, against moto; what boto3 then reads is what was planned."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from clouds import ACCOUNT, REGION, Call, Cloud
from containers import missing, needs_containers
from harness import PATIENCE_S, Platform, ROOT, toml
from packaged import ARM64, X86_64, elf
from proofs import MOTO, proof
from repositories import HOST, WithImages

NAME = "iris"
DEPLOY = ("--to", "aws-lambda", "--yes")
REPOSITORY = f"modelet/aws-lambda/{NAME}"
TRIGGERS = """
[[triggers]]
kind = "schedule"
schedule = "rate(5 minutes)"
input = '{"warm": true}'

[[triggers]]
kind = "upload"
bucket = "incoming"
prefix = "rows & more/"
suffix = ".csv"
"""


@dataclass(frozen=True)
class Form:
    """How a function gets to Lambda, and how many calls that change something each part of its story has, at least."""

    there: tuple[str, ...]
    deploys: int
    updates: int
    deletes: int

    @property
    def is_image(self) -> bool:
        """True for an image, false for a zip."""
        return "--image" in self.there

    @property
    def deploy(self) -> tuple[str, ...]:
        """The words that deploy it."""
        return (*self.there, "--yes")


ZIP = Form(("--to", "aws-lambda"), 14, 6, 10)
#: A repository, and in the registry two layers, a config and a manifest more.
IMAGE = Form(("--to", "aws-lambda", "--image"), 22, 10, 11)


@pytest.fixture(params=[pytest.param(ZIP, id="zip"), pytest.param(IMAGE, id="image", marks=needs_containers)])
def form(request: pytest.FixtureRequest) -> Form:
    return request.param


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    kind = Cloud if missing() else WithImages
    moto = kind(tmp_path_factory.mktemp("cloud"))
    yield moto
    moto.close()


@pytest.fixture(autouse=True)
def empty(cloud: Cloud) -> None:
    cloud.reset()


@pytest.fixture(scope="module")
def artifacts(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The artifact of one model: as it is, with other settings, with triggers, and for another processor."""
    work = tmp_path_factory.mktemp("artifacts")
    model = ROOT / "examples" / "iris"
    said = {"one": "", "two": toml({"settings": {"memory_mib": 2048}, "env": {"MODE": "fast"}}), "triggers": TRIGGERS}
    said |= {f"v{number}": toml({"env": {"MODE": str(number)}}) for number in (3, 4)}
    made = {word: packaged(platform, model, more, work / f"{word}.zip") for word, more in said.items()}
    return made | {"arm64": packaged(platform, model, "", work / "arm64.zip", ARM64)}


def source_with(model: Path, more: str, folder: Path) -> Path:
    """A model's folder with more in its manifest."""
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    manifest = folder / "modelet.toml"
    manifest.write_text((manifest.read_text() if manifest.exists() else "") + "\n" + more)
    return folder


def packaged(platform: Platform, model: Path, more: str, target: Path, machine: int = X86_64) -> Path:
    """An artifact as the platform made it, in a zip with a bootstrap of which there is no more than its head: moto does not run it."""
    source = source_with(model, more, target.with_suffix(""))
    function = platform.deploy(source, f"for-lambda-{source.name}")
    folder = platform.data / "artifacts" / function.card["sha256"]
    card = json.loads((folder / "artifact.json").read_text()) | {"name": NAME}
    with zipfile.ZipFile(target, "w") as zipped:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = (stat.S_IFREG | 0o755) << 16
        zipped.writestr(bootstrap, elf(machine))
        zipped.writestr("artifact.json", json.dumps(card))
        for path in sorted((folder / "files").rglob("*")):
            zipped.write(path, f"files/{path.relative_to(folder / 'files')}")
    return target


def enlarged(artifact: Path, target: Path) -> Path:
    """An artifact that is too large to be sent to Lambda."""
    target.write_bytes(artifact.read_bytes())
    with zipfile.ZipFile(target, "a") as zipped:
        zipped.writestr("files/noise", os.urandom(40 << 20))
    return target


def there(cloud: Cloud) -> dict:
    """All that boto3 sees, but for moments and what AWS makes up."""
    functions, iam, logs = cloud.client("lambda"), cloud.client("iam"), cloud.client("logs")
    events, s3 = cloud.client("events"), cloud.client("s3")
    seen: dict = {"functions": [], "roles": [], "rules": [], "buckets": []}
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        told = functions.get_function(FunctionName=name)
        kept = ("PackageType", "Runtime", "Handler", "MemorySize", "Timeout", "CodeSha256", "Role", "Environment", "EphemeralStorage")
        one = {key: told["Configuration"].get(key) for key in kept} | {"tags": told.get("Tags")}
        versions = functions.list_versions_by_function(FunctionName=name)["Versions"]
        one["versions"] = [(v["Version"], v["CodeSha256"], v["Description"], v["MemorySize"]) for v in versions]
        one["concurrency"] = told.get("Concurrency")
        one["image"] = told["Code"].get("ImageUri")
        one["aliases"] = [
            (a["Name"], a["FunctionVersion"], a.get("RoutingConfig")) for a in functions.list_aliases(FunctionName=name)["Aliases"]
        ]
        for key, ask in (("policy", functions.get_policy), ("url", functions.get_function_url_config)):
            try:
                answer = ask(FunctionName=name, Qualifier="live")
                one[key] = json.loads(answer["Policy"])["Statement"] if key == "policy" else answer["AuthType"]
            except functions.exceptions.ResourceNotFoundException:
                one[key] = None
        seen["functions"].append(one)
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        tags = iam.list_role_tags(RoleName=name)["Tags"]
        seen["roles"].append((name, role["AssumeRolePolicyDocument"], [p["PolicyArn"] for p in policies], tags))
    if isinstance(cloud, WithImages):
        seen["repositories"] = cloud.repositories()
    seen["logs"] = [
        (g["logGroupName"], g.get("retentionInDays"), logs.list_tags_log_group(logGroupName=g["logGroupName"])["tags"])
        for g in logs.describe_log_groups()["logGroups"]
    ]
    for rule in events.list_rules()["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        seen["rules"].append((rule["Name"], rule["ScheduleExpression"], rule["State"], targets))
    for bucket in s3.list_buckets()["Buckets"]:
        told = s3.get_bucket_notification_configuration(Bucket=bucket["Name"])
        objects = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        told.pop("ResponseMetadata")
        seen["buckets"].append((bucket["Name"], told, [o["Key"] for o in objects]))
    return seen


def emptied(cloud: Cloud) -> None:
    """The registry as it was before any image: it keeps layers whose images are deleted."""
    if isinstance(cloud, WithImages):
        cloud.registry.empty()


def function_of(cloud: Cloud) -> dict:
    [one] = there(cloud)["functions"]
    return one


@proof("AWS Lambda", "deploying, updating, a canary, promoting, rolling back and removing", MOTO)
def test_from_nothing_to_deployed_as_planned(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    wanted = (artifacts["one"], "--url", "none", "--reserved-concurrency", "5")
    plan = cloud.json("deploy", *wanted, *form.there, "--plan", code=2)
    assert not any(call.writes for proxy in cloud.proxies() for call in proxy.taken()), "a plan only looks"
    whats = [(step["change"], step["what"].split(" ")[0]) for step in plan["plan"]["steps"]]
    assert whats[0] == ("create", "log") and ("create", "function") in whats and ("create", "alias") in whats

    done = cloud.json("deploy", *wanted, *form.deploy)
    assert done["plan"]["steps"] == plan["plan"]["steps"]
    seen = there(cloud)
    function = function_of(cloud)
    digest = hashlib.sha256(artifacts["one"].read_bytes())
    if form.is_image:
        artifact = done["status"]["artifact"]
        assert (function["PackageType"], function["Runtime"]) == ("Image", None)
        assert function["image"] == f"{HOST}/{REPOSITORY}@sha256:{artifact}"
        assert cloud.manifest(function["image"])["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
        [(tags, images)] = seen["repositories"].values()
        assert {"Key": "modelet:function", "Value": NAME} in tags and images == [f"sha256:{artifact}"]
    else:
        artifact = digest.hexdigest()
        assert (function["PackageType"], function["Runtime"], function["Handler"]) == ("Zip", "provided.al2023", "bootstrap")
        assert function["CodeSha256"] == base64.b64encode(digest.digest()).decode()
    assert (function["MemorySize"], function["Timeout"], function["EphemeralStorage"]) == (1024, 60, {"Size": 512})
    assert function["tags"]["modelet:artifact"] == artifact == done["status"]["artifact"]
    assert function["tags"]["modelet:function"] == NAME and function["tags"]["modelet:managed"] == "true"
    assert function["aliases"] == [("live", "1", {"AdditionalVersionWeights": {}})] or function["aliases"][0][:2] == ("live", "1")
    assert function["url"] == "NONE" and function["concurrency"] == {"ReservedConcurrentExecutions": 5}
    assert {statement["Sid"] for statement in function["policy"]} == {"modelet-url", "modelet-url-invoke"}
    [(role, trust, policies, _)] = seen["roles"]
    assert function["Role"] == f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert trust["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert policies == ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
    [(group, days, tags)] = seen["logs"]
    assert (group, days, tags["modelet:function"]) == ("/aws/lambda/iris", 30, NAME)
    assert done["status"]["traffic"] == {"version": "1", "canary": None}

    again = cloud.json("deploy", artifacts["one"], *form.there, "--plan", "--url", "none")
    assert again["plan"]["steps"] == [], "what is there needs nothing, and the exit code is 0"
    assert there(cloud) == seen


@proof("AWS Lambda", "deploying, updating, a canary, promoting, rolling back and removing", MOTO)
def test_updated_canaried_promoted_and_rolled_back(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *form.deploy)
    first = function_of(cloud)["image"]
    plan = cloud.json("deploy", artifacts["two"], *form.there, "--plan", code=2)["plan"]["steps"]
    assert "memory 1024 → 2048 MB, variables MODE" in [step["why"] for step in plan]

    done = cloud.json("deploy", artifacts["two"], *form.deploy, "--canary", "10")
    assert done["status"]["traffic"] == {"version": "1", "canary": {"version": "2", "percent": 10}}
    assert function_of(cloud)["aliases"] == [("live", "1", {"AdditionalVersionWeights": {"2": 0.1}})]
    assert cloud.json("deploy", artifacts["two"], *form.deploy, "--canary", "10")["plan"]["steps"] == []
    if form.is_image:
        images = [first, function_of(cloud)["image"]]
        assert {image.split("@")[1] for image in images} == set(cloud.digests(REPOSITORY)) and all(map(cloud.manifest, images))
        # What moto makes of an image's name.
        codes = [hashlib.sha256(image.encode()).hexdigest() for image in images]
        assert [code for _, code, *_ in function_of(cloud)["versions"]] == [codes[1], *codes]

    assert cloud.json("traffic", NAME, "--to", "aws-lambda", "--canary", "50")["canary"]["percent"] == 50
    assert cloud.json("rollback", NAME, "--to", "aws-lambda") == {"version": "1", "canary": None}
    cloud.cli("traffic", NAME, "--to", "aws-lambda", "--canary", "20")
    assert cloud.json("traffic", NAME, "--to", "aws-lambda", "--promote") == {"version": "2", "canary": None}
    assert function_of(cloud)["aliases"][0][:2] == ("live", "2")
    assert cloud.json("rollback", NAME, "--to", "aws-lambda") == {"version": "1", "canary": None}
    assert "there is no version before 1" in cloud.cli("rollback", NAME, "--to", "aws-lambda", code=1).stderr

    back = cloud.json("deploy", artifacts["one"], *form.deploy)
    assert back["status"]["versions"] == ["1", "2"], "what was published is not published again"
    assert function_of(cloud)["image"] == first
    status = cloud.cli("status", NAME, "--to", "aws-lambda").stdout
    assert "all calls to version 1" in status and "memory    1024 MB" in status


@proof("AWS Lambda", "a function gets the processor that its artifact is made for, and another with its code", MOTO)
def test_a_function_moves_to_another_processor_and_back(cloud: Cloud, artifacts: dict[str, Path]) -> None:
    def processor(qualifier: str) -> list[str]:
        told = cloud.client("lambda").get_function(FunctionName=NAME, Qualifier=qualifier)
        return told["Configuration"]["Architectures"]

    cloud.cli("deploy", artifacts["arm64"], *DEPLOY)
    assert processor("1") == ["arm64"]
    assert cloud.json("deploy", artifacts["arm64"], *DEPLOY)["plan"]["steps"] == []
    steps = cloud.json("deploy", artifacts["one"], *DEPLOY)["plan"]["steps"]
    assert [step["what"] for step in steps] == [f"function {NAME}", f"function {NAME}", f"version of {NAME}", "alias live"]
    (sent,) = [json.loads(call.body) for call in cloud.proxy.taken() if call.path.endswith("/code")]
    assert sent["Architectures"] == ["x86_64"]


@proof("AWS Lambda", "deploying, updating, a canary, promoting, rolling back and removing", MOTO)
def test_nothing_is_left_after_delete(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    cloud.client("s3").create_bucket(Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": REGION})
    before = there(cloud)
    cloud.cli("deploy", artifacts["triggers"], *form.deploy, "--url", "none")
    cloud.cli("deploy", artifacts["two"], *form.deploy, "--url", "none")
    assert there(cloud) != before
    assert not form.is_image or len(cloud.digests(REPOSITORY)) == 2
    refused = cloud.cli("delete", NAME, "--to", "aws-lambda", code=1)
    assert "There is nobody to ask" in refused.stderr and "say --yes" in refused.stderr
    cloud.cli("delete", NAME, "--to", "aws-lambda", "--yes")
    assert there(cloud) == before
    assert not form.is_image or cloud.digests(REPOSITORY) == []
    assert "there is nothing of a function iris" in cloud.cli("delete", NAME, "--to", "aws-lambda", "--yes", code=1).stderr


@proof("AWS Lambda", "old versions are deleted, with their images", MOTO)
def test_old_versions_go_and_those_of_aliases_stay(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    def versions() -> list[str]:
        told = cloud.client("lambda").list_versions_by_function(FunctionName=NAME)["Versions"]
        return [version["Version"] for version in told if version["Version"] != "$LATEST"]

    for word in ("one", "two", "v3"):
        assert not any(step["change"] == "delete" for step in cloud.json("deploy", artifacts[word], *form.deploy)["plan"]["steps"])
    cloud.client("lambda").create_alias(FunctionName=NAME, Name="theirs", FunctionVersion="1")
    done = cloud.json("deploy", artifacts["v4"], *form.deploy, "--keep-versions", "0")
    [gone, *image] = [step for step in done["plan"]["steps"] if step["change"] == "delete"]
    assert gone["what"] == "version 2", "3 has the calls, and 1 somebody's alias"
    assert [step["what"] for step in image] == [f"image in {REPOSITORY}"] * form.is_image
    assert versions() == done["status"]["versions"] == ["1", "3", "4"]
    assert not form.is_image or len(cloud.digests(REPOSITORY)) == 3

    cloud.client("lambda").delete_alias(FunctionName=NAME, Name="theirs")
    again = cloud.json("deploy", artifacts["v4"], *form.deploy, "--keep-versions", "1")["plan"]["steps"]
    assert again[0]["what"] == "version 1" and versions() == ["3", "4"]
    assert cloud.json("rollback", NAME, "--to", "aws-lambda") == {"version": "3", "canary": None}


@proof("AWS Lambda", "schedules and uploads", MOTO)
def test_triggers_come_and_go_and_others_stay(cloud: Cloud, artifacts: dict[str, Path]) -> None:
    s3, sqs, events = cloud.client("s3"), cloud.client("sqs"), cloud.client("events")
    s3.create_bucket(Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": REGION})
    queue = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    theirs = {"Id": "theirs", "QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(Bucket="incoming", NotificationConfiguration={"QueueConfigurations": [theirs]})
    events.put_rule(Name="theirs", ScheduleExpression="rate(1 day)")

    cloud.cli("deploy", artifacts["triggers"], *DEPLOY)
    alias = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}:live"
    [ours] = [rule for rule in there(cloud)["rules"] if rule[0] != "theirs"]
    assert ours[1:3] == ("rate(5 minutes)", "ENABLED")
    assert ours[3] == [{"Id": "modelet", "Arn": alias, "Input": '{"warm": true}'}]
    told = s3.get_bucket_notification_configuration(Bucket="incoming")
    [called] = told["LambdaFunctionConfigurations"]
    assert (called["LambdaFunctionArn"], called["Events"]) == (alias, ["s3:ObjectCreated:*"])
    rules = {rule["Name"].lower(): rule["Value"] for rule in called["Filter"]["Key"]["FilterRules"]}
    assert rules == {"prefix": "rows & more/", "suffix": ".csv"}
    assert told["QueueConfigurations"][0]["Id"] == "theirs"
    allowed = {statement["Principal"]["Service"]: statement["Condition"] for statement in function_of(cloud)["policy"]}
    assert allowed["s3.amazonaws.com"]["ArnLike"] == {"AWS:SourceArn": "arn:aws:s3:::incoming"}
    assert allowed["s3.amazonaws.com"]["StringEquals"] == {"AWS:SourceAccount": ACCOUNT}
    assert ours[0] in allowed["events.amazonaws.com"]["ArnLike"]["AWS:SourceArn"]

    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    assert [rule[0] for rule in there(cloud)["rules"]] == ["theirs"]
    told = s3.get_bucket_notification_configuration(Bucket="incoming")
    assert "LambdaFunctionConfigurations" not in told and told["QueueConfigurations"][0]["Id"] == "theirs"
    assert not function_of(cloud)["policy"]


def test_a_platform_of_ours_says_that_it_does_not_run_triggers(platform: Platform, tmp_path: Path) -> None:
    source = source_with(ROOT / "examples" / "iris", TRIGGERS, tmp_path / "triggered")
    said = platform.cli("deploy", source, "--name", "triggered").stderr
    assert "warning: this platform does not run triggers yet; AWS Lambda does" in said
    wrong = source_with(ROOT / "examples" / "iris", TRIGGERS.replace("5 minutes", "5 minute"), tmp_path / "wrong")
    assert '"rate(5 minute)" is no schedule' in platform.refused(wrong)


@proof("AWS Lambda", "a deploy that was killed is gone on with", MOTO)
def test_killed_at_each_step_and_deployed_again_it_comes_to_the_same(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    cloud.client("s3").create_bucket(Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": REGION})
    first = ("deploy", artifacts["triggers"], *form.deploy, "--url", "none", "--reserved-concurrency", "5")
    second = ("deploy", artifacts["two"], *form.deploy, "--url", "iam", "--canary", "10")
    delete = ("delete", NAME, "--to", "aws-lambda", "--yes")
    nothing = there(cloud)
    cloud.cli(*first)
    made = there(cloud)
    cloud.cli(*second)
    changed = there(cloud)
    cloud.cli(*delete)

    def killed(command: tuple, before: list[tuple], expected: dict) -> int:
        """Kills a command after each of its writes, does it again, and tells how many there were."""
        step = 1
        while True:
            emptied(cloud)
            for earlier in before:
                cloud.cli(*earlier)
            if not cloud.killed_after(step, *command):
                return step - 1
            if command != delete or there(cloud) != nothing:
                cloud.cli(*command)
            assert there(cloud) == expected, f"{command[0]} killed after write {step}"
            if expected != nothing:
                cloud.cli(*delete)
            step += 1

    assert killed(first, [], made) >= form.deploys
    cloud.cli(*delete)
    assert killed(second, [first], changed) >= form.updates
    cloud.cli(*delete)
    assert killed(delete, [first], nothing) >= form.deletes
    assert there(cloud) == nothing


@proof("AWS Lambda", "a deploy that fails is taken back", MOTO)
def test_a_step_that_fails_is_taken_back_with_those_before_it(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    cloud.client("s3").create_bucket(Bucket="incoming", CreateBucketConfiguration={"LocationConstraint": REGION})
    before = there(cloud)
    deploy = ("deploy", artifacts["triggers"], *form.deploy, "--url", "none")

    def fails_at(number: int, status: int) -> None:
        writes = 0

        def fail(call: Call) -> int | None:
            nonlocal writes
            writes += call.writes
            # A server's fault is tried again: it stays.
            return status if call.writes and (writes == number or status >= 500 and number <= writes < number + 5) else None

        for proxy in cloud.proxies():
            proxy.fail = fail

    def fails_no_more() -> None:
        for proxy in cloud.proxies():
            proxy.fail = lambda _: None
            proxy.taken()

    for number in range(1, form.deploys + 1):
        emptied(cloud)
        fails_at(number, 403)
        refused = cloud.cli(*deploy, code=1).stderr
        assert any(words in refused for words in ("as the test wants it", "answered 403", "does not let AWS")), refused
        assert "target-denied" in refused
        assert number == 1 or "taken back" in refused, refused
        fails_no_more()
        assert there(cloud) == before, f"write {number} failed\n{refused}"

    fails_at(5, 500)
    assert "target-failed" in cloud.cli(*deploy, code=1).stderr
    fails_no_more()
    assert there(cloud) == before
    emptied(cloud)
    cloud.cli(*deploy)
    assert len([call for proxy in cloud.proxies() for call in proxy.taken() if call.writes]) >= form.deploys


def test_an_update_that_fails_leaves_the_calls_where_they_were(cloud: Cloud, form: Form, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *form.deploy)
    before, all_before = function_of(cloud), there(cloud)
    cloud.proxy.fail = lambda call: 403 if call.method == "PUT" and call.path.endswith("/aliases/live") else None
    refused = cloud.cli("deploy", artifacts["two"], *form.deploy, code=1).stderr
    assert "lambda UpdateAlias: AccessDeniedException" in refused
    assert "lack lambda:UpdateAlias" in refused and "(the environment)" in refused
    if form.is_image:
        assert there(cloud) == all_before, "the image that it had is there still"
        return
    assert "not taken back" in refused and "nobody is sent to it" in refused
    after = function_of(cloud)
    assert after["aliases"] == before["aliases"] and after["MemorySize"] == 1024 and after["versions"][1:] == before["versions"][1:]


@needs_containers
def test_a_version_of_somebody_elses_image_is_taken_back(cloud: Cloud, artifacts: dict[str, Path]) -> None:
    """Another one gives the function an image, just before its version is published."""
    cloud.cli("deploy", artifacts["one"], *IMAGE.deploy)
    before = there(cloud)

    def theirs(call: Call) -> None:
        if call.method == "POST" and call.path.endswith("/versions"):
            cloud.client("lambda").update_function_code(FunctionName=NAME, ImageUri=f"{HOST}/theirs@sha256:{'a' * 64}")

    cloud.proxy.fail = theirs
    refused = cloud.cli("deploy", artifacts["two"], *IMAGE.deploy, code=1).stderr
    assert "somebody else gave iris another image" in refused
    after = there(cloud)
    assert after["functions"][0]["aliases"] == before["functions"][0]["aliases"]
    assert [number for number, *_ in after["functions"][0]["versions"]] == ["$LATEST", "1"]


@proof("AWS Lambda", "large zips through S3, and images", MOTO)
def test_large_code_and_images_go_their_own_ways(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    large = enlarged(artifacts["one"], tmp_path / "large.zip")
    made = f"modelet-{ACCOUNT}-{REGION}"
    for bucket, artifact, options in (("code", artifacts["one"], ("--bucket", "code")), (made, large, ())):
        cloud.proxy.taken()
        cloud.cli("deploy", artifact, *DEPLOY, *options)
        digest = hashlib.sha256(artifact.read_bytes())
        [put] = [call for call in cloud.proxy.taken() if call.path == f"/{bucket}/{NAME}/{digest.hexdigest()}.zip" and call.method == "PUT"]
        assert put.body == artifact.read_bytes()
        assert function_of(cloud)["CodeSha256"] == base64.b64encode(digest.digest()).decode()
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket), "Lambda has a copy of its own"
    assert {"Key": "modelet:managed", "Value": "true"} in s3.get_bucket_tagging(Bucket=made)["TagSet"]

    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/iris@sha256:{'a' * 64}"
    refused = cloud.cli("deploy", artifacts["one"], *DEPLOY, "--name", "pictured", "--image", "iris:1", code=1).stderr
    assert "iris:1 does not say its digest" in refused
    elsewhere = image.replace(REGION, "us-east-1")
    refused = cloud.cli("deploy", artifacts["one"], *DEPLOY, "--name", "pictured", "--image", elsewhere, code=1).stderr
    assert "is not in the registry (ECR) of eu-west-1" in refused
    cloud.cli("deploy", artifacts["one"], *DEPLOY, "--name", "pictured", "--image", image)
    told = cloud.client("lambda").get_function(FunctionName="pictured")
    assert told["Configuration"]["PackageType"] == "Image" and told["Code"]["ImageUri"] == image
    assert cloud.json("deploy", artifacts["one"], *DEPLOY, "--name", "pictured", "--image", image)["plan"]["steps"] == []
    cloud.cli("delete", "pictured", "--to", "aws-lambda", "--yes")
    cloud.cli("delete", NAME, "--to", "aws-lambda", "--yes")
    assert [bucket[0] for bucket in there(cloud)["buckets"]] == ["code"]


def test_what_others_made_is_not_touched(cloud: Cloud, artifacts: dict[str, Path]) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    functions = cloud.client("lambda")
    arn = functions.get_function(FunctionName=NAME)["Configuration"]["FunctionArn"]
    functions.untag_resource(Resource=arn, TagKeys=["modelet:managed"])
    before = there(cloud)
    for command in (("deploy", artifacts["two"], *DEPLOY), ("delete", NAME, "--to", "aws-lambda", "--yes")):
        assert "modelet did not make" in (said := cloud.cli(*command, code=1).stderr) or "not made by modelet" in said
    assert there(cloud) == before


@proof("AWS Lambda", "calls and logs", MOTO)
def test_calls_and_logs(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> None:
    cloud.cli("deploy", artifacts["one"], *DEPLOY)
    cloud.proxy.taken()
    # moto's function gives back what it gets.
    print(cloud.cli("invoke", NAME, '{"rows": [[1, 2]]}', "--to", "aws-lambda").stdout)
    [call] = [call for call in cloud.proxy.taken() if call.path.endswith("/invocations")]
    assert (call.query, call.body) == ((("Qualifier", "live"),), b'{"rows": [[1, 2]]}')
    (tmp_path / "rows.csv").write_text("1,2\n")
    refused = cloud.cli("invoke", NAME, f"@{tmp_path / 'rows.csv'}", "--to", "aws-lambda", code=1).stderr
    assert "JSON, and not text/csv" in refused and "deploy --url" in refused
    assert not [call for call in cloud.proxy.taken() if call.path.endswith("/invocations")]
    logs = cloud.client("logs")
    logs.create_log_stream(logGroupName="/aws/lambda/iris", logStreamName="instance-1")
    now = int(time.time() * 1000)
    events = [{"timestamp": now - 1000, "message": "first\n"}, {"timestamp": now, "message": "second\x1b[2J"}]
    logs.put_log_events(logGroupName="/aws/lambda/iris", logStreamName="instance-1", logEvents=events)
    said = cloud.cli("logs", NAME, "--to", "aws-lambda").stdout.splitlines()
    assert said[0].endswith("instance-1 first") and said[1].endswith("instance-1 second\ufffd[2J")
    assert [json.loads(line)["at_ms"] for line in cloud.cli("logs", NAME, "--to", "aws-lambda", "--json", "-n", "1").stdout.splitlines()] == [now]

    follow = cloud.start("logs", NAME, "--to", "aws-lambda", "--follow", "-n", "1")
    try:
        assert "second" in follow.stdout.readline()
        later = [{"timestamp": now - 500, "message": "late"}, {"timestamp": now + 1, "message": "third"}]
        logs.put_log_events(logGroupName="/aws/lambda/iris", logStreamName="instance-1", logEvents=later)
        assert [follow.stdout.readline().split()[-1] for _ in later] == ["late", "third"], "each once"
    finally:
        follow.kill()
        follow.communicate(timeout=PATIENCE_S)


def test_what_lambda_does_not_have_is_refused_before_anything_is_sent(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> None:
    def refused(change: dict, *options: str, without: str = "") -> str:
        with zipfile.ZipFile(artifacts["one"]) as old:
            files = {entry: old.read(entry) for entry in old.infolist() if entry.filename != without}
        target = tmp_path / "changed.zip"
        with zipfile.ZipFile(target, "w") as new:
            for entry, content in files.items():
                if entry.filename == "artifact.json":
                    card = json.loads(content)
                    card["manifest"] |= change
                    content = json.dumps(card)
                new.writestr(entry, content)
        cloud.proxy.taken()
        said = cloud.cli("deploy", target, *DEPLOY, *options, code=1).stderr
        assert not any(call.writes for call in cloud.proxy.taken())
        return said

    assert "there is no secret partner in AWS Secrets Manager of eu-west-1" in refused({"secrets": {"API_KEY": "partner"}})
    assert "AWS Lambda has memory_mib of 128 to 10240, not 64" in refused({"settings": {"memory_mib": 64}})
    assert "AWS Lambda sets AWS_REGION itself" in refused({"env": {"AWS_REGION": "x"}})
    assert "keeps logs for 1, 3, 5" in refused({}, "--log-days", "31")
    assert "has no executable file bootstrap" in refused({}, without="bootstrap")
    assert "is packaged already, and --arch would change nothing of it" in refused({}, "--arch", "arm64")
    assert "is packaged already, and --set would change nothing of it" in refused({}, "--set", "memory_mib=512")
    assert "not to cloud-run" in cloud.cli("deploy", artifacts["one"], "--to", "cloud-run", "--yes", code=2).stderr
    assert "There is nobody to ask" in cloud.cli("deploy", artifacts["one"], "--to", "aws-lambda", code=1).stderr


def test_the_plan_says_price_and_permissions(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    traffic = ("--calls-per-month", "3000000", "--ms-per-call", "120")
    plan = ("deploy", artifacts["one"], "--to", "aws-lambda", "--plan")
    said = cloud.cli(*plan, *traffic, "--policy", policy, code=2).stdout
    assert "6.60 USD a month, 0.40 with what is free: 3000000 calls of 120 ms with 1024 MB on x86_64" in said
    assert "prices of 2026-11-24" in said and f"written to {policy}" in said
    allowed = {action for statement in json.loads(policy.read_text())["Statement"] for action in [statement["Action"]] if isinstance(action, str)}
    assert allowed == {"iam:PassRole"}
    used = {f"{call.operation}" for call in cloud.proxy.taken()}
    assert "GetRole" in used
    own = tmp_path / "prices.toml"
    own.write_text((ROOT / "crates/cloud/src/prices/aws-lambda.toml").read_text().replace("0.20", "2.00"))
    assert "12.00 USD a month" in cloud.cli(*plan, *traffic, "--prices", own, code=2).stdout
    arm = ("deploy", artifacts["arm64"], "--to", "aws-lambda", "--plan")
    assert "5.40 USD a month, 0.40 with what is free" in cloud.cli(*arm, *traffic, code=2).stdout
