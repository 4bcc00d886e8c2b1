//! Where a function's image lies at AWS: a repository of ECR for each function and target, in which images are named by their digests.
//!
//! Targets take what is here into their own plans: [`put`] and [`remove`] are steps, [`Repository::carry_out`] does them.

use std::fmt;

use modelet_core::Target;

use crate::apply::{GONE, Inverse};
use crate::aws::Aws;
use crate::aws::names::Names;
use crate::aws::place::domain;
use crate::aws::policy::Needs;
use crate::aws::service::ECR;
use crate::delivery::WrittenImage;
use crate::error::{CloudError, gone, made};
use crate::plan::Draft;
use crate::registry::{Access, Reference, Registries};

/// The variable that says where ECR's registry is reached in the place of its own address, as `host:port`: a mirror of it, or one that
/// tests can look into. Images keep the names that they have at ECR.
pub const REGISTRY: &str = "MODELET_ECR_REGISTRY";
/// Letters of a digest that make an image's tag, which is for people.
const TAG: usize = 12;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    target: Target,
    /// The registry's host.
    registry: String,
}

/// What can be done to it, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes the repository.
    Create,
    /// Deletes it with all images.
    Delete,
    /// Brings the image of this digest there.
    Push(String),
    /// Deletes the image of this digest.
    DeleteImage(String),
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct There {
    /// The repository; true where it is of our making.
    pub repository: Option<bool>,
    /// True when the image that is wanted lies in it.
    pub has_image: bool,
}

impl Repository {
    /// That of a function for a target.
    pub fn of(names: &Names, target: Target) -> Self {
        let name = format!("modelet/{target}/{}", names.function);
        let arn = names.arn("ecr", &format!("repository/{name}"));
        let registry = format!("{}.dkr.ecr.{}.{}", names.account, names.region, domain(names.partition));
        Self { name, arn, target, registry }
    }

    /// An image in it, as AWS is told.
    pub fn image(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.registry, self.name)
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// What ECR says when it does not tell.
    pub async fn look(
        &self,
        aws: &Aws,
        names: &Names,
        wanted: Option<&WrittenImage>,
    ) -> Result<There, CloudError> {
        let Some(tags) = aws.repository(&self.name).await? else { return Ok(There::default()) };
        let is_ours = names.are_ours(&tags);
        let has_image = match wanted {
            Some(written) if is_ours => self.holds(aws, written).await?,
            _ => false,
        };
        Ok(There { repository: Some(is_ours), has_image })
    }

    async fn holds(&self, aws: &Aws, written: &WrittenImage) -> Result<bool, CloudError> {
        let (address, registries) = self.enter(aws, None).await?;
        let image = format!("{address}/{}@{}", self.name, written.image.manifest.digest);
        registries.holds(&reference(&image)?).await
    }

    /// The registry's address, and who may go in there and read the image `below`.
    async fn enter(&self, aws: &Aws, below: Option<&Reference>) -> Result<(String, Registries), CloudError> {
        let address = aws.place.environment.get(REGISTRY).unwrap_or_else(|| self.registry.clone());
        let (user, password) = aws.registry_login().await?;
        let given = Some((address.clone(), user, password));
        let access = Access { given, ..Access::new(aws.place.environment.clone()) };
        let mut access = access.with_loopback(&reference(&format!("{address}/x"))?);
        if let Some(below) = below {
            access = access.with_loopback(below);
        }
        Ok((address, Registries::new(access)?))
    }

    /// Does an action; twice it comes to the same.
    ///
    /// # Errors
    /// What ECR or its registry says.
    pub async fn carry_out(
        &self,
        aws: &Aws,
        names: &Names,
        written: Option<&WrittenImage>,
        action: &Action,
    ) -> Result<(), CloudError> {
        match action {
            Action::Create => made(aws.create_repository(&self.name, &names.tags()).await),
            Action::Delete => gone(aws.delete_repository(&self.name).await),
            Action::DeleteImage(digest) => gone(aws.delete_image(&self.name, digest).await),
            Action::Push(_) => {
                let written =
                    written.ok_or_else(|| CloudError::refused("there is no image to be brought"))?;
                self.push(aws, written).await
            }
        }
    }

    async fn push(&self, aws: &Aws, written: &WrittenImage) -> Result<(), CloudError> {
        let below = written.below.as_ref().map(|(name, base)| (name, base));
        let (address, registries) = self.enter(aws, below.map(|(name, _)| name)).await?;
        let digest = written.image.manifest.digest.trim_start_matches("sha256:");
        let tag = digest.get(..TAG).unwrap_or(digest);
        let target = reference(&format!("{address}/{}:{tag}", self.name))?;
        registries.push(&written.image, &written.layout, below, &target).await.map(drop)
    }

    /// What an action needs to be allowed.
    pub(crate) fn needs(&self, action: &Action) -> Vec<Needs> {
        let own = |operations: &'static [&'static str]| -> Needs { (self.arn.clone(), &ECR, operations) };
        match action {
            Action::Create => vec![own(&["CreateRepository", "TagResource"])],
            Action::Delete => vec![own(&["DeleteRepository"])],
            Action::DeleteImage(_) => vec![own(&["BatchDeleteImage"])],
            Action::Push(_) => {
                let mut needs: Vec<Needs> = vec![own(&[
                    "BatchCheckLayerAvailability",
                    "InitiateLayerUpload",
                    "UploadLayerPart",
                    "CompleteLayerUpload",
                    "PutImage",
                ])];
                if self.target == Target::AwsLambda {
                    // Lambda lets itself in, in the name of who asks.
                    needs.push(own(&["GetRepositoryPolicy", "SetRepositoryPolicy"]));
                }
                needs
            }
        }
    }

    /// What looking at what is there needs to be allowed.
    pub(crate) fn reads(&self) -> [Needs; 2] {
        [
            (
                self.arn.clone(),
                &ECR,
                &["DescribeRepositories", "ListTagsForResource", "BatchGetImage", "GetDownloadUrlForLayer"],
            ),
            ("*".to_owned(), &ECR, &["GetAuthorizationToken"]),
        ]
    }
}

impl Action {
    /// What takes it back.
    pub fn inverse(&self) -> Inverse<Self> {
        match self {
            Self::Create => Inverse::Action(Self::Delete),
            Self::Push(digest) => Inverse::Action(Self::DeleteImage(digest.clone())),
            Self::Delete | Self::DeleteImage(_) => Inverse::Stays(GONE),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository {}", self.name)
    }
}

/// The steps that bring the image there.
///
/// # Errors
/// When there is a repository of that name that modelet did not make.
pub(crate) fn put<A, N>(
    draft: &mut Draft<'_, A, N>,
    repository: &Repository,
    there: &There,
    written: &WrittenImage,
    as_action: fn(Action) -> A,
) -> Result<(), CloudError> {
    match there.repository {
        Some(true) => {}
        Some(false) => {
            return Err(CloudError::refused(format!("there is a {repository} that modelet did not make"))
                .hint("delete it, or choose another name for the function: --name NAME"));
        }
        None => draft.create(repository.to_string(), "for the function's images", as_action(Action::Create)),
    }
    if !there.has_image {
        let digest = written.image.manifest.digest.get(..TAG + "sha256:".len()).unwrap_or_default();
        let why =
            format!("{digest}…, {} bytes, of which what is not there travels", written.image.size_bytes());
        draft.create(
            format!("image in {}", repository.name),
            why,
            as_action(Action::Push(written.image.manifest.digest.clone())),
        );
    }
    Ok(())
}

/// The step that takes all images away, where they are of our making.
pub(crate) fn remove<A, N>(
    draft: &mut Draft<'_, A, N>,
    repository: &Repository,
    there: &There,
    as_action: fn(Action) -> A,
) {
    if there.repository == Some(true) {
        draft.delete(repository.to_string(), "with all images in it", as_action(Action::Delete));
    }
}

/// Refuses an image that its target may not read, or whose name may come to mean another one.
///
/// # Errors
/// One sentence with what to write.
pub(crate) fn check(reference: &str, names: &Names, target: Target) -> Result<(), CloudError> {
    let registry = format!("{}.dkr.ecr.{}.{}", names.account, names.region, domain(names.partition));
    if reference.rsplit_once("@sha256:").is_none_or(|(_, digest)| digest.len() != 64) {
        return Err(CloudError::refused(format!(
            "{reference} does not say its digest, and a tag may be moved to another image"
        ))
        .hint(format!("write it as {registry}/NAME@sha256:…")));
    }
    let is_near = |host: &str| host.contains(&format!(".dkr.ecr.{}.", names.region));
    if reference.split_once('/').is_none_or(|(host, _)| !is_near(host)) {
        return Err(CloudError::refused(format!(
            "{reference} is not in the registry (ECR) of {}, from which alone {} takes images",
            names.region,
            target.title()
        ))
        .hint(format!("push it to {registry}/NAME first")));
    }
    Ok(())
}

fn reference(image: &str) -> Result<Reference, CloudError> {
    image.parse().map_err(|_| {
        CloudError::refused(format!("{image} is no name of an image: is {REGISTRY} written as host:port?"))
    })
}
