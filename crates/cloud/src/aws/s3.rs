//! S3: code that is too large to be sent to Lambda, and buckets whose uploads call a function.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use modelet_core::base64;

use super::Aws;
use super::service::S3;
use super::xml::{Document, escaped};
use crate::aws::call::Request;
use crate::error::{CloudError, found};

/// Until an upload is over.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(1_800);
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const XML: &str = "application/xml";

/// What a bucket calls, by the ids of its entries, each as it stands in the document.
pub type Notifications = Vec<(Option<String>, String)>;

/// What is to be called when a file comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The entry's id.
    pub id: &'a str,
    /// The function, with its alias.
    pub arn: &'a str,
    /// What the names of files begin with.
    pub prefix: &'a str,
    /// What they end with.
    pub suffix: &'a str,
}

impl Notification<'_> {
    /// The entry as it stands in the document.
    pub fn entry(&self) -> String {
        let rule = |name: &str, value: &str| {
            let value = escaped(value);
            format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
        };
        let mut rules = String::new();
        if !self.prefix.is_empty() {
            rules.push_str(&rule("prefix", self.prefix));
        }
        if !self.suffix.is_empty() {
            rules.push_str(&rule("suffix", self.suffix));
        }
        let filter =
            if rules.is_empty() { rules } else { format!("<Filter><S3Key>{rules}</S3Key></Filter>") };
        let (id, arn) = (escaped(self.id), escaped(self.arn));
        format!(
            "<CloudFunctionConfiguration><Id>{id}</Id><CloudFunction>{arn}</CloudFunction><Event>s3:ObjectCreated:*</Event>\
             {filter}</CloudFunctionConfiguration>"
        )
    }
}

/// Gives a request a body, with the checksum that S3 wants of it.
fn checked(asked: Request, body: Bytes, content_type: &str) -> Request {
    let sum = base64::encode(&crc32fast::hash(&body).to_be_bytes());
    asked
        .body(body, content_type)
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
        .header("x-amz-checksum-crc32", &sum)
}

fn request(bucket: &str, operation: &'static str, method: Method, parts: &[&str]) -> Request {
    let mut request = Request::rest(&S3, operation, method, parts);
    if parts.is_empty() {
        request.path = "/".to_owned();
    }
    Request { bucket: Some(bucket.to_owned()), ..request }
}

impl Aws {
    /// The tags of a bucket; `None` where there is no such bucket. `owner`: the account whose it has to be.
    pub(crate) async fn bucket(
        &self,
        name: &str,
        owner: Option<&str>,
    ) -> Result<Option<BTreeMap<String, String>>, CloudError> {
        let mut asked = request(name, "HeadBucket", Method::HEAD, &[]);
        if let Some(owner) = owner {
            asked = asked.header("x-amz-expected-bucket-owner", owner);
        }
        if found(self.send(asked).await)?.is_none() {
            return Ok(None);
        }
        let tagged = request(name, "GetBucketTagging", Method::GET, &[]).with("tagging", "");
        let tagged = found(self.send(tagged).await)?;
        let document = tagged.and_then(|answer| Document::read(&answer.body));
        Ok(Some(document.map(|document| document.tags()).unwrap_or_default()))
    }

    /// Makes a bucket.
    pub(crate) async fn create_bucket(&self, name: &str) -> Result<(), CloudError> {
        let asked = request(name, "CreateBucket", Method::PUT, &[]);
        let region = &self.place.region;
        // The first region of all has no name there.
        let asked = if region == "us-east-1" {
            asked
        } else {
            let body = format!(
                "<CreateBucketConfiguration xmlns=\"{NAMESPACE}\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            );
            asked.body(body.into(), XML)
        };
        self.send(asked).await.map(drop)
    }

    /// Tags a bucket.
    pub(crate) async fn tag_bucket(
        &self,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let tag = |(key, value): (&String, &String)| {
            format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escaped(key), escaped(value))
        };
        let tags: String = tags.iter().map(tag).collect();
        let body = format!("<Tagging xmlns=\"{NAMESPACE}\"><TagSet>{tags}</TagSet></Tagging>");
        let asked = request(name, "PutBucketTagging", Method::PUT, &[]).with("tagging", "");
        self.send(checked(asked, body.into(), XML)).await.map(drop)
    }

    /// Deletes a bucket, which is empty.
    pub(crate) async fn delete_bucket(&self, name: &str) -> Result<(), CloudError> {
        self.send(request(name, "DeleteBucket", Method::DELETE, &[])).await.map(drop)
    }

    /// The files of a bucket whose names begin so.
    pub(crate) async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, CloudError> {
        let asked = request(bucket, "ListObjectsV2", Method::GET, &[]).with("list-type", "2");
        let answer = self.send(asked.with("prefix", prefix)).await?;
        let Some(document) = Document::read(&answer.body) else { return Ok(Vec::new()) };
        if document.text("IsTruncated").is_some_and(|truncated| truncated == "true") {
            return Err(CloudError::refused(format!(
                "more than a thousand files of {bucket} begin with {prefix}"
            )));
        }
        Ok(document.all("Key"))
    }

    /// Puts a file into a bucket.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), CloudError> {
        let parts: Vec<_> = key.split('/').collect();
        let asked = checked(request(bucket, "PutObject", Method::PUT, &parts), body, "application/zip");
        self.send(Request { timeout: UPLOAD_TIMEOUT, ..asked }).await.map(drop)
    }

    /// Deletes a file.
    pub(crate) async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), CloudError> {
        let parts: Vec<_> = key.split('/').collect();
        self.send(request(bucket, "DeleteObject", Method::DELETE, &parts)).await.map(drop)
    }

    /// What a bucket calls; `None` where there is no such bucket.
    pub(crate) async fn notifications(&self, bucket: &str) -> Result<Option<Notifications>, CloudError> {
        let asked = request(bucket, "GetBucketNotificationConfiguration", Method::GET, &[]);
        let answer = found(self.send(asked.with("notification", "")).await)?;
        let Some(answer) = answer else { return Ok(None) };
        if answer.body.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let document = Document::read(&answer.body)
            .ok_or_else(|| super::failure::senseless(&S3, "GetBucketNotificationConfiguration", 200))?;
        let children = document.children();
        Ok(Some(children.into_iter().map(|(id, entry)| (id, entry.to_owned())).collect()))
    }

    /// Says what a bucket calls: all of it, since there is no way to say a part.
    pub(crate) async fn put_notifications(
        &self,
        bucket: &str,
        entries: impl Iterator<Item = &str>,
    ) -> Result<(), CloudError> {
        let entries: String = entries.collect();
        let body =
            format!("<NotificationConfiguration xmlns=\"{NAMESPACE}\">{entries}</NotificationConfiguration>");
        let asked = request(bucket, "PutBucketNotificationConfiguration", Method::PUT, &[]);
        self.send(checked(asked.with("notification", ""), body.into(), XML)).await.map(drop)
    }
}
