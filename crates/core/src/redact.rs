//! Keeps the values of secrets out of what an instance prints, on its way into the log.

/// Shorter values are not looked for: they would be found everywhere.
const MIN_BYTES: usize = 6;

/// The secrets of one instance.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Name and value, longest value first, so that one that contains another is found whole.
    secrets: Vec<(String, String)>,
}

impl Redactor {
    /// Adds a secret. Of a value with several lines each is looked for, since output is kept by lines; also as it stands within JSON.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        for line in text.lines().map(str::trim).filter(|line| line.len() >= MIN_BYTES) {
            let quoted = serde_json::Value::from(line).to_string();
            let quoted = &quoted[1..quoted.len() - 1];
            self.secrets.push((name.to_owned(), line.to_owned()));
            if quoted != line {
                self.secrets.push((name.to_owned(), quoted.to_owned()));
            }
        }
        self.secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    }

    /// True where there is nothing to look for.
    pub const fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The text with each value replaced by its name.
    pub fn redact(&self, mut text: String) -> String {
        for (name, value) in &self.secrets {
            if text.contains(value) {
                text = text.replace(value, &format!("[secret {name}]"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_by_names_line_by_line() {
        let mut redactor = Redactor::default();
        redactor.add("short", b"abc");
        redactor.add("key", b"s3cret-value");
        redactor.add("pem", b"-----BEGIN-----\nMIIEvQIBADANBg\n");
        redactor.add("longer", b"s3cret-value-and-more");
        let redact = |text: &str| redactor.redact(text.to_owned());
        assert_eq!(redact("abc s3cret-value!"), "abc [secret key]!");
        assert_eq!(redact("s3cret-value-and-more"), "[secret longer]");
        assert_eq!(redact("x MIIEvQIBADANBg y"), "x [secret pem] y");
        assert_eq!(redact("nothing"), "nothing");
        redactor.add("quoted", br#"a"b\c-and-d"#);
        assert_eq!(
            redactor.redact(r#"{"key": "a\"b\\c-and-d"}"#.to_owned()),
            r#"{"key": "[secret quoted]"}"#
        );
    }
}
