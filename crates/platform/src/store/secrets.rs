//! Secrets: values that functions are given and that nothing else shows. Each is a file that only the platform's user can
//! read; artifacts, the catalog and the log have no more than their names.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionName, PlatformError};

use crate::store::store_failed;

/// Largest secret, in bytes: an environment variable of Linux has 128 KiB at most, with its name.
pub const MAX_SECRET_BYTES: usize = 64 << 10;

/// The folder of secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Opens the folder `secrets` in the data folder.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("secrets");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    /// Stores a value under a name, in place of an earlier one. Instances that run keep the value that they started with.
    pub fn set(&self, name: &str, value: &[u8]) -> Result<(), PlatformError> {
        let path = self.path(name)?;
        if value.is_empty() || value.len() > MAX_SECRET_BYTES || value.contains(&0) {
            let message = format!("a secret has 1 to {MAX_SECRET_BYTES} bytes, none of them zero");
            return Err(PlatformError::new(Code::BadInput, message));
        }
        self.write(&path, value).map_err(|error| store_failed("store the secret", error))
    }

    /// The value of a secret.
    pub fn get(&self, name: &str) -> Result<Vec<u8>, PlatformError> {
        let path = self.path(name)?;
        fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(name),
            _ => store_failed("read the secret", error),
        })
    }

    /// Removes a secret.
    pub fn remove(&self, name: &str) -> Result<(), PlatformError> {
        let path = self.path(name)?;
        fs::remove_file(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(name),
            _ => store_failed("remove the secret", error),
        })
    }

    /// The names of all secrets, sorted.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            // Drafts have names that no secret has.
            names.extend(
                entry?.file_name().into_string().ok().filter(|name| name.parse::<FunctionName>().is_ok()),
            );
        }
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, name: &str) -> Result<PathBuf, PlatformError> {
        let name: FunctionName = name.parse().map_err(|_| {
            let rule = "a secret's name is 1 to 48 lower-case letters, digits and single hyphens, starting with a letter";
            PlatformError::new(Code::BadName, format!("{name:?} is not a secret's name: {rule}"))
        })?;
        Ok(self.folder.join(name.as_str()))
    }

    /// Whole or not at all: a draft, renamed once it is on the disk.
    fn write(&self, path: &Path, value: &[u8]) -> io::Result<()> {
        let draft = self.folder.join(format!(".{}", ulid::Ulid::generate()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written =
            file.write_all(value).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path));
        written.inspect_err(|_| drop(fs::remove_file(&draft)))
    }
}

fn missing(name: &str) -> PlatformError {
    PlatformError::new(Code::SecretMissing, format!("there is no secret {name}"))
        .hint(format!("store it: modelet secret set {name} < FILE"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_kept_for_its_owner_only() {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(data.path()).unwrap();
        secrets.set("partner-key", b"first").unwrap();
        secrets.set("partner-key", b"second").unwrap();
        assert_eq!(secrets.get("partner-key").unwrap(), b"second");
        assert_eq!(secrets.names().unwrap(), ["partner-key"]);
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(data.path().join("secrets")), mode(data.path().join("secrets/partner-key"))),
            (0o700, 0o600)
        );
        secrets.remove("partner-key").unwrap();
        assert_eq!(secrets.get("partner-key").unwrap_err().code, Code::SecretMissing);
        assert_eq!(secrets.remove("partner-key").unwrap_err().code, Code::SecretMissing);
    }

    #[test]
    fn names_and_values_are_checked() {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(data.path()).unwrap();
        for name in ["", "../state.db", "A", "a/b", ".x"] {
            assert_eq!(secrets.set(name, b"value").unwrap_err().code, Code::BadName, "{name:?}");
        }
        for value in [&b""[..], b"a\0b", &vec![b'x'; MAX_SECRET_BYTES + 1]] {
            assert_eq!(secrets.set("name", value).unwrap_err().code, Code::BadInput);
        }
    }
}
