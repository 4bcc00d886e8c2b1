//! The services of AWS that are called, and how each is spoken to.

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Paths and methods, bodies of JSON.
    RestJson,
    /// One path, JSON, the operation in a header with this before its name.
    Json {
        /// What stands before the operation's name.
        target: &'static str,
    },
    /// Forms of this version, answers of XML.
    Query {
        /// The version.
        version: &'static str,
    },
    /// Paths and methods, bodies of XML.
    RestXml,
}

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in environment variables, such as `CLOUDWATCH_LOGS`.
    pub id: &'static str,
    /// The first part of permissions, and its name in signatures.
    pub prefix: &'static str,
    /// The first part of its host.
    pub host: &'static str,
    /// True for one that all regions share.
    pub is_global: bool,
    /// How it is spoken to.
    pub protocol: Protocol,
}

const fn service(id: &'static str, prefix: &'static str, protocol: Protocol) -> Service {
    Service { id, prefix, host: prefix, is_global: false, protocol }
}

/// Lambda.
pub static LAMBDA: Service = service("LAMBDA", "lambda", Protocol::RestJson);
/// Identity and Access Management: roles.
pub static IAM: Service =
    Service { is_global: true, ..service("IAM", "iam", Protocol::Query { version: "2010-05-08" }) };
/// The Security Token Service: who one is.
pub static STS: Service = service("STS", "sts", Protocol::Query { version: "2011-06-15" });
/// CloudWatch Logs.
pub static LOGS: Service = service("CLOUDWATCH_LOGS", "logs", Protocol::Json { target: "Logs_20140328" });
/// EventBridge: schedules.
pub static EVENTS: Service = service("EVENTBRIDGE", "events", Protocol::Json { target: "AWSEvents" });
/// S3: files.
pub static S3: Service = service("S3", "s3", Protocol::RestXml);
/// The Elastic Container Registry: repositories of images, but for what the registry itself does.
pub static ECR: Service = Service {
    host: "api.ecr",
    ..service("ECR", "ecr", Protocol::Json { target: "AmazonEC2ContainerRegistry_V20150921" })
};
/// Secrets Manager.
pub static SECRETS_MANAGER: Service =
    service("SECRETS_MANAGER", "secretsmanager", Protocol::Json { target: "secretsmanager" });
/// Systems Manager, of which there is the Parameter Store.
pub static SSM: Service = service("SSM", "ssm", Protocol::Json { target: "AmazonSSM" });
/// SageMaker: models and endpoints.
pub static SAGEMAKER: Service = Service {
    host: "api.sagemaker",
    ..service("SAGEMAKER", "sagemaker", Protocol::Json { target: "SageMaker" })
};
/// SageMaker's runtime: calls of endpoints.
pub static SAGEMAKER_RUNTIME: Service =
    Service { host: "runtime.sagemaker", ..service("SAGEMAKER_RUNTIME", "sagemaker", Protocol::RestJson) };

impl Service {
    /// The permission that an operation needs, as policies name it. Most are called as the operation is.
    pub fn permission(&self, operation: &str) -> String {
        let name = match (self.prefix, operation) {
            ("lambda", "Invoke") => "InvokeFunction",
            ("s3", "GetBucketNotificationConfiguration") => "GetBucketNotification",
            ("s3", "PutBucketNotificationConfiguration") => "PutBucketNotification",
            ("s3", "HeadBucket" | "ListObjectsV2") => "ListBucket",
            ("s3", "HeadObject") => "GetObject",
            _ => operation,
        };
        format!("{}:{name}", self.prefix)
    }
}
