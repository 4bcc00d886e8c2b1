"""ECR under test: moto's repositories, whose images lie in a real registry. What ECR deletes there is deleted here in its place, since
moto knows only the images that were put through its own API."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
from clouds import ACCOUNT, REGION, Cloud, Proxy
from containers import Registry
from harness import PATIENCE_S

#: The user and the password of moto's GetAuthorizationToken, as the registry reads them (bcrypt).
USERS = "AWS:$2b$04$9N8Y762.L17pJ0YrzPVbJO9ZC5qlsRNRVeS.oyjDEKfdxXF4MaYu2\n"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
#: The words in which all of AWS takes images.
DOCKERS = {"accept": "application/vnd.docker.distribution.manifest.v2+json"}


class Repositories(httpx.Client):
    """Passes calls on to moto; what deletes images deletes those of the registry."""

    def __init__(self, cloud: WithImages):
        super().__init__(trust_env=False, timeout=PATIENCE_S)
        self.cloud = cloud

    def request(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Answers one call."""
        operation = given["headers"].get("x-amz-target", "").removeprefix("AmazonEC2ContainerRegistry_V20150921.")
        if operation == "BatchDeleteImage":
            said = json.loads(given["content"])
            digests = [image["imageDigest"] for image in said["imageIds"]]
            absent = [digest for digest in digests if not self.cloud.forget(said["repositoryName"], digest)]
            failures = [{"imageId": {"imageDigest": digest}, "failureCode": "ImageNotFound"} for digest in absent]
            return httpx.Response(200, json={"imageIds": [], "failures": failures})
        answer = super().request(method, url, **given)
        if operation == "DeleteRepository" and answer.is_success:
            name = json.loads(given["content"])["repositoryName"]
            for digest in self.cloud.digests(name):
                self.cloud.forget(name, digest)
        return answer


class WithImages(Cloud):
    """The cloud, with a registry in the place of ECR's and a proxy before that too."""

    upstream: type[Repositories] = Repositories

    def __init__(self, work: Path):
        self.registry = Registry(work / "registry", locked=True, users=USERS)
        self.way = Proxy(f"http://{self.registry.host}")
        self.http = httpx.Client(
            base_url=f"http://{self.registry.host}/v2", auth=("AWS", f"{ACCOUNT}-auth-token"), trust_env=False, timeout=PATIENCE_S
        )
        super().__init__(work)
        self.proxy.client = self.upstream(self)

    def environment(self) -> dict[str, str]:
        """The same, with the registry in the place of ECR's."""
        return super().environment() | {"MODELET_ECR_REGISTRY": self.way.url.removeprefix("http://")}

    def proxies(self) -> list[Proxy]:
        """The registry's too."""
        return [*super().proxies(), self.way]

    def reset(self) -> None:
        """As if nothing had ever been there, in the registry too."""
        super().reset()
        self.registry.empty()

    def close(self) -> None:
        super().close()
        self.way.close()
        self.registry.stop()

    def forget(self, name: str, digest: str) -> bool:
        """Deletes an image; false where there is none."""
        return self.http.delete(f"/{name}/manifests/{digest}").status_code == 202

    def digests(self, name: str) -> list[str]:
        """The images that lie in a repository: each has a tag, for people."""
        tags = self.http.get(f"/{name}/tags/list")
        found = (self.http.head(f"/{name}/manifests/{tag}", headers=DOCKERS) for tag in tags.json().get("tags") or [])
        return sorted(one.headers["docker-content-digest"] for one in found if one.is_success)

    def repositories(self) -> dict[str, tuple[Any, list[str]]]:
        """ECR's repositories as boto3 reads them: their tags, and the images that lie there."""
        ecr, seen = self.client("ecr"), {}
        for repository in ecr.describe_repositories()["repositories"]:
            name, tags = repository["repositoryName"], ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
            seen[name] = tags, self.digests(name)
        return seen

    def manifest(self, image: str) -> dict:
        """What lies in the registry under the name that AWS was told: whole, each blob of it what its digest says."""
        path, digest = image.removeprefix(f"{HOST}/").split("@")
        answer = self.http.get(f"/{path}/manifests/{digest}", headers=DOCKERS).raise_for_status()
        manifest = answer.json()
        assert sha256(answer.content) == digest
        for blob in [manifest["config"], *manifest["layers"]]:
            content = self.http.get(f"/{path}/blobs/{blob['digest']}").raise_for_status().content
            assert (sha256(content), len(content)) == (blob["digest"], blob["size"])
        return manifest


def sha256(content: bytes) -> str:
    """A digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
