"""Secrets of a function at AWS: named by reference where it is deployed, and read by its runtime when it starts; against moto."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import functions
import pytest
from as_botocore import by_botocore, signature
from clouds import ACCOUNT, KEYS, REGION, Call, Cloud
from emulator import free_port
from harness import PATIENCE_S, ROOT, Platform, eventually, toml
from proofs import BOTOCORE, DOCUMENTATION, EMULATOR, MOTO, proof
from test_aws_lambda import DEPLOY, NAME, cloud, empty, function_of, packaged, there  # noqa: F401 (fixtures)
from test_hosts import Container
from test_package_lambda import on_lambda as of_zip  # noqa: F401 (a fixture)
from test_package_lambda import sent

VALUE = 'hush-"hush"-7f3a\\91'
OBJECT = {"user": "me-and-mine", "password": VALUE}
SECRETS = {"secrets": {"API_KEY": "partner-key"}}
PLAN = ("--to", "aws-lambda", "--plan")
CODE = """\
import json
import os
import sys

print("at the top:", os.environ["API_KEY"])

def lambda_handler(event, context):
    key = os.environ["API_KEY"]
    print("key", key, file=sys.stderr)
    print(json.dumps({"key": key}))
    if "raise" in event:
        raise ValueError(key)
    ours = sorted(name for name in os.environ if name.startswith("MODELET_"))
    return {"is": key == event["expected"], "ours": ours}
"""
PROGRAM = """\
#!/usr/bin/env python3
import os
import urllib.request

api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    event = urllib.request.urlopen(f"{api}/next")
    print("the key is", os.environ["API_KEY"], flush=True)
    urllib.request.urlopen(f"{api}/{event.headers['lambda-runtime-aws-request-id']}/response", data=b'"done"').read()
"""


@pytest.fixture(scope="module")
def artifacts(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The artifact of one model with a secret, with two, and with none."""
    work = tmp_path_factory.mktemp("artifacts")
    for name in ("partner-key", "other-key"):
        platform.cli("secret", "set", name, stdin="of the platform")
    two = {"secrets": {"API_KEY": "partner-key", "OTHER": "other-key"}}
    said = {"one": toml(SECRETS), "two": toml(two), "none": "", "reserved": toml({"secrets": {"AWS_REGION": "partner-key"}})}
    return {word: packaged(platform, ROOT / "examples" / "iris", more, work / f"{word}.zip") for word, more in said.items()}


def stored(cloud: Cloud, name: str = "partner-key", value: str = VALUE, **more: str) -> str:
    """A secret as its owner stores it; its ARN."""
    return cloud.client("secretsmanager").create_secret(Name=name, SecretString=value, **more)["ARN"]


def role_policies(cloud: Cloud) -> list[dict]:
    """The statements of all policies that stand in roles."""
    iam = cloud.client("iam")
    found = []
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            found += iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]["Statement"]
    return found


# -- deploying ----


@proof("AWS Lambda", "secrets are named by reference, and their values are nowhere", MOTO)
def test_a_function_names_its_secret_and_its_role_may_read_it(cloud: Cloud, artifacts: dict[str, Path], tmp_path: Path) -> None:
    before = there(cloud)
    refused = cloud.cli("deploy", artifacts["one"], *DEPLOY, code=1).stderr
    assert f"there is no secret partner-key in AWS Secrets Manager of {REGION}" in refused
    assert f"aws secretsmanager create-secret --region {REGION} --name partner-key --secret-string" in refused
    assert there(cloud) == before

    arn = stored(cloud)
    policy = tmp_path / "policy.json"
    plan = cloud.cli("deploy", artifacts["one"], *PLAN, "--policy", policy, code=2)
    assert "may also read secret partner-key" in plan.stdout
    allowed = {statement["Resource"]: statement["Action"] for statement in json.loads(policy.read_text())["Statement"] if "Condition" not in statement}
    assert allowed[arn] == ["secretsmanager:DescribeSecret"]
    assert {"iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies"} <= {action for actions in allowed.values() for action in actions}

    done = cloud.cli("deploy", artifacts["one"], *DEPLOY, "--json")
    assert function_of(cloud)["Environment"] == {"Variables": {"MODELET_SECRET_API_KEY": arn}}
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
    assert role_policies(cloud) == [read]
    assert json.loads(cloud.cli("deploy", artifacts["one"], *PLAN, "--json").stdout)["plan"]["steps"] == []
    calls = cloud.proxy.taken()
    assert "GetSecretValue" not in {call.operation for call in calls}
    seen = json.dumps([there(cloud), role_policies(cloud)], default=str) + plan.stdout + done.stdout + done.stderr
    assert "hush" not in seen and not any(b"hush" in call.body for call in calls)

    # Older versions may get calls again, and name what they named.
    gone = cloud.cli("deploy", artifacts["none"], *PLAN, code=2).stdout
    assert "may still read the secrets of older versions" in gone
    cloud.cli("delete", NAME, "--to", "aws-lambda", "--yes")
    assert there(cloud) == before and role_policies(cloud) == []


def test_a_secret_is_named_in_other_words_and_with_a_key_of_its_owner(cloud: Cloud, artifacts: dict[str, Path]) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]
    database = stored(cloud, "prod/database", json.dumps(OBJECT), KmsKeyId=key["KeyId"])
    cloud.client("ssm").put_parameter(Name="/prod/other", Value=VALUE, Type="SecureString")
    asked = ("--secret", f"partner-key={database}:password::", "--secret", "other-key=ssm:/prod/other")
    cloud.cli("deploy", artifacts["two"], *DEPLOY, *asked)
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/other"
    variables = {"MODELET_SECRET_API_KEY": f"{database}:password::", "MODELET_SECRET_OTHER": parameter}
    assert function_of(cloud)["Environment"] == {"Variables": variables}
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    assert role_policies(cloud) == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": database},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key["Arn"], "Condition": via},
        {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": parameter},
    ]
    described = {call.operation: call for call in cloud.proxy.taken()}
    for operation in ("DescribeSecret", "DescribeParameters", "PutRolePolicy"):
        call = described[operation]
        assert is_as_botocore(cloud, call), operation

    # Named by its ARN it is the same one.
    asked = ("--secret", f"partner-key={database}:password::", "--secret", f"other-key={parameter}")
    assert cloud.json("deploy", artifacts["two"], *PLAN, *asked)["plan"]["steps"] == []
    role = ("--role", f"arn:aws:iam::{ACCOUNT}:role/mine")
    notes = cloud.json("deploy", artifacts["two"], *PLAN, *asked, *role, code=2)["plan"]["notes"]
    assert any(f"has to be allowed secretsmanager:GetSecretValue on {database}, kms:Decrypt on {key['Arn']}" in note for note in notes)
    unknown = cloud.cli("deploy", artifacts["one"], *PLAN, "--secret", f"partner={database}", code=1).stderr
    assert "[secrets] names no partner, which --secret is about" in unknown
    wrong = cloud.cli("deploy", artifacts["one"], *PLAN, "--secret", "partner-key=arn:aws:s3:::x", code=2).stderr
    assert "names no secret" in wrong
    reserved = cloud.cli("deploy", artifacts["reserved"], *PLAN, code=1).stderr
    assert "AWS Lambda sets AWS_REGION itself: take it out of [secrets]" in reserved


def is_as_botocore(cloud: Cloud, call: Call) -> bool:
    """Whether a call is, on the wire and in its signature, the one that botocore makes."""
    sent = by_botocore(cloud, call, {})
    about = (call.method, call.path, call.headers.get("x-amz-target"), call.parsed())
    expected = Call("POST", sent.path, (), sent.headers, sent.body, "/").parsed()
    said = call.headers["authorization"].rsplit("Signature=", 1)[1]
    return about == (sent.method, sent.path, sent.headers.get("x-amz-target"), expected) and said == signature(cloud, call)


# -- starting on AWS Lambda ----


def told(cloud: Cloud, **references: str) -> dict[str, str]:
    """What AWS Lambda tells a function: its key, its region, and what it was deployed with."""
    named = {f"MODELET_SECRET_{variable}": reference for variable, reference in references.items()}
    return KEYS | {"AWS_REGION": REGION, "AWS_ENDPOINT_URL_SECRETS_MANAGER": cloud.proxy.url, "AWS_ENDPOINT_URL_SSM": cloud.proxy.url} | named


def artifact(platform: Platform, folder: Path) -> str:
    """The artifact of a function as it is deployed here; the folder of it."""
    platform.cli("secret", "set", "partner-key", stdin="of the platform")
    return str(platform.data / "artifacts" / platform.deploy(folder, folder.name).card["sha256"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Code that prints its secret, and gives it away in an error."""
    return functions.folder(tmp_path_factory.mktemp("secrets") / "secrets-talking", {"lambda_function.py": CODE}, SECRETS)


@pytest.fixture(scope="module")
def talking(platform: Platform, source: Path) -> str:
    return artifact(platform, source)


@proof("AWS Lambda", "the runtime reads the secrets that its variables name", EMULATOR)
def test_the_handler_gets_the_value_and_the_log_does_not(cloud: Cloud, on_lambda, talking: str) -> None:  # noqa: F811
    arn = stored(cloud)
    cloud.proxy.taken()
    emulator = on_lambda(MODELET_ARTIFACT=talking, **told(cloud, API_KEY=arn))
    assert sent(emulator, {"expected": VALUE}) == {"is": True, "ours": []}
    assert sent(emulator, {"raise": True})["errorType"] == "ValueError"
    said = emulator.said()
    assert "at the top: [secret partner-key]" in said and "key [secret partner-key]" in said
    assert '{"key": "[secret partner-key]"}' in said and "ValueError: [secret partner-key]" in said
    assert "hush" not in said
    calls = cloud.proxy.taken()
    assert [call.operation for call in calls] == ["GetSecretValue"], "once for each start"
    assert calls[0].headers["x-amz-security-token"] == KEYS["AWS_SESSION_TOKEN"]


def test_what_a_program_prints_has_their_names_too(cloud: Cloud, platform: Platform, on_lambda, tmp_path: Path) -> None:  # noqa: F811
    source = functions.folder(tmp_path / "secrets-program", {"bootstrap": PROGRAM}, SECRETS)
    (source / "bootstrap").chmod(0o755)
    emulator = on_lambda(MODELET_ARTIFACT=artifact(platform, source), **told(cloud, API_KEY=stored(cloud)))
    assert sent(emulator, {}) == "done"
    assert "the key is [secret partner-key]" in emulator.said(), "told before the answer is"
    assert "hush" not in emulator.said()


@proof("AWS Lambda", "the runtime reads the secrets that its variables name", EMULATOR)
def test_a_zip_reads_them_as_it_is(cloud: Cloud, of_zip, source: Path) -> None:  # noqa: F811
    assert sent(of_zip(source, **told(cloud, API_KEY=stored(cloud))), {"expected": VALUE}) == {"is": True, "ours": []}


@proof("AWS Lambda", "the runtime's calls, and their signatures", BOTOCORE)
def test_keys_versions_and_parameters_are_asked_for_as_botocore_asks(cloud: Cloud, platform: Platform, on_lambda, tmp_path: Path) -> None:  # noqa: F811
    arn = stored(cloud, value=json.dumps(OBJECT))
    cloud.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps({"user": "newer"}))
    cloud.client("ssm").put_parameter(Name="/prod/other", Value="of the parameters", Type="SecureString")
    code = "import os\n\ndef lambda_handler(event, context):\n    return [os.environ[name] for name in event]\n"
    source = functions.folder(tmp_path / "secrets-reading", {"lambda_function.py": code})
    old = f"{arn}:password:AWSPREVIOUS:"
    references = {"NEW": f"{arn}:user::", "OLD": old, "MINE": "partner-key:user:AWSPREVIOUS", "OTHER": "ssm:/prod/other"}
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/other"
    cloud.proxy.taken()
    emulator = on_lambda(MODELET_ARTIFACT=artifact(platform, source), **told(cloud, **references, BY_ARN=parameter))
    values = sent(emulator, ["NEW", "OLD", "MINE", "OTHER", "BY_ARN"])
    assert values == ["newer", VALUE, "me-and-mine", "of the parameters", "of the parameters"]
    calls = cloud.proxy.taken()
    assert sorted(call.operation for call in calls) == ["GetParameter"] * 2 + ["GetSecretValue"] * 3
    assert all(is_as_botocore(cloud, call) for call in calls)


@proof("AWS Lambda", "a secret that cannot be read fails the start, and is named", EMULATOR)
def test_what_cannot_be_read_fails_the_start_by_name(cloud: Cloud, on_lambda, talking: str) -> None:  # noqa: F811
    arn = stored(cloud, value=json.dumps(OBJECT))

    def refused(reference: str, **changed: str) -> str:
        emulator = on_lambda(MODELET_ARTIFACT=talking, **(told(cloud, API_KEY=reference) | changed))
        answer = emulator.call(b'{"expected": ""}').json()
        assert answer["errorType"] == "Runtime.SecretMissing", answer
        said = emulator.said()
        assert "hush" not in said and "me-and-mine" not in said and KEYS["AWS_SECRET_ACCESS_KEY"] not in said
        assert answer["errorMessage"] in said, "the log says it too"
        return answer["errorMessage"]

    about = "API_KEY is the secret partner-key, which could not be read: "
    missing = refused(arn.replace("partner-key", "none"))
    assert missing.startswith(f"{about}secretsmanager GetSecretValue: ResourceNotFoundException") and "create-secret" in missing
    assert refused(f"{arn}:nothing::") == f'{about}there is no key "nothing" in its JSON'
    assert "names no secret: say arn:aws:secretsmanager" in refused("arn:aws:s3:::x")
    assert "ParameterNotFound" in refused("ssm:/none")
    cloud.proxy.fail = lambda _: 403
    denied = refused(arn)
    assert "AccessDeniedException: as the test wants it" in denied
    assert denied.endswith(f"let the function's role do secretsmanager:GetSecretValue on {arn}")
    cloud.proxy.fail = lambda _: None
    assert "Connection refused" in refused(arn, AWS_ENDPOINT_URL_SECRETS_MANAGER=f"http://127.0.0.1:{free_port()}")


def test_a_server_that_fails_for_a_moment_is_asked_again(cloud: Cloud, on_lambda, talking: str) -> None:  # noqa: F811
    arn = stored(cloud)
    failing = iter([500, 503])
    cloud.proxy.fail = lambda _: next(failing, None)
    assert sent(on_lambda(MODELET_ARTIFACT=talking, **told(cloud, API_KEY=arn)), {"expected": VALUE})["is"] is True


# -- TLS ----


class Encrypted:
    """Moto behind TLS, with a certificate of an authority of the test's own."""

    def __init__(self, folder: Path, cloud: Cloud):
        def made(*words: str) -> None:
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

        folder.mkdir()
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        made("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests", "-days", "2")
        made("req", *key, "-keyout", "key.pem", "-out", "asked.pem", "-subj", "/CN=localhost")
        (folder / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        made("x509", "-req", "-in", "asked.pem", "-out", "own.pem", *signing)
        self.authorities = folder / "ca.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "own.pem", folder / "key.pem")
        server = ThreadingHTTPServer(("127.0.0.1", 0), cloud.proxy.server.RequestHandlerClass)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.server, self.port = server, server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def encrypted(tmp_path: Path, cloud: Cloud) -> Iterator[Encrypted]:  # noqa: F811
    server = Encrypted(tmp_path / "tls", cloud)
    yield server
    server.close()


@proof("AWS Lambda", "the runtime reads the secrets that its variables name", EMULATOR)
def test_servers_are_known_by_their_certificates(cloud: Cloud, encrypted: Encrypted, on_lambda, talking: str) -> None:  # noqa: F811
    arn, bundle = stored(cloud), {"AWS_CA_BUNDLE": str(encrypted.authorities)}
    at = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"https://localhost:{encrypted.port}"}
    known = told(cloud, API_KEY=arn) | at
    assert sent(on_lambda(MODELET_ARTIFACT=talking, **known | bundle), {"expected": VALUE})["is"] is True
    unknown = on_lambda(MODELET_ARTIFACT=talking, **known).call(b"{}").json()
    assert "invalid peer certificate: UnknownIssuer" in unknown["errorMessage"], unknown
    other = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"https://127.0.0.1:{encrypted.port}"}
    cloud.proxy.taken()
    named = on_lambda(MODELET_ARTIFACT=talking, **known | bundle | other).call(b"{}").json()
    assert "invalid peer certificate: certificate not valid for name" in named["errorMessage"], named
    assert cloud.proxy.taken() == [], "nothing was sent to a server that is not known"
    absent = on_lambda(MODELET_ARTIFACT=talking, **known | {"AWS_CA_BUNDLE": "/none.pem"}).call(b"{}").json()
    assert "the authorities in /none.pem" in absent["errorMessage"], absent


# -- starting on SageMaker ----


@proof("SageMaker", "a container reads the secrets that its variables name, by its host's key", DOCUMENTATION)
def test_a_container_reads_them_by_the_key_of_its_role(cloud: Cloud, platform: Platform, tmp_path: Path) -> None:  # noqa: F811
    """The argument `serve`; the key as ECS' and SageMaker's hosts give it; JSON of the log, in which values are names too."""
    arn = stored(cloud)
    code = "import os\n\nprint('top', os.environ['API_KEY'])\n\ndef predict(inputs):\n    return [os.environ['API_KEY'] == row[0] for row in inputs]\n"
    source = functions.folder(tmp_path / "secrets-serving", {"app.py": code}, SECRETS)
    key = {"AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"], "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"], "Token": KEYS["AWS_SESSION_TOKEN"]}
    credentials = host_with(json.dumps(key).encode())
    port = free_port()
    said = {
        "MODELET_ARTIFACT": artifact(platform, source),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "MODELET_LOG_FORMAT": "json",
        "MODELET_SECRET_API_KEY": arn,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{credentials}/key",
        "AWS_ENDPOINT_URL": cloud.proxy.url,
    }
    container = Container(tmp_path / "log", port, "serve", **said)
    eventually(lambda: container.is_ready("/ping", 200), what=f"/ping is answered: {container.log}")
    answer = container.http.post("/invocations", json=[[VALUE], ["x"]])
    assert answer.json() == [True, False], answer.text
    assert '"message":"top [secret partner-key]' in container.said() and "hush" not in container.said()
    assert container.stop() == 0

    said["MODELET_SECRET_API_KEY"] = arn.replace("partner-key", "none")
    failed = Container(tmp_path / "failed", port, "serve", **said)
    assert failed.process.wait(PATIENCE_S) == 1
    assert "could not load: API_KEY is the secret partner-key, which could not be read" in failed.said()


def host_with(key: bytes) -> int:
    """A host that gives this key; its port."""
    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(key)))
            self.end_headers()
            self.wfile.write(key)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
