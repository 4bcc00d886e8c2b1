//! Prometheus' text format, version 0.0.4, as far as metrics need it.

use std::fmt::Write as _;

/// Its media type.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4";

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a metric: its samples follow. `kind` is `counter`, `gauge` or `histogram`.
    pub fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A value. Those of labels are names and words of ours: none has a character that would have to be escaped.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.write(format_args!("{name}"));
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            self.write(format_args!("{before}{label}=\"{text}\""));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.write(format_args!("{end} {value}\n"));
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.0
    }

    fn write(&mut self, text: std::fmt::Arguments) {
        // Into memory: it cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_names_and_labels() {
        let mut page = Exposition::default();
        page.metric("a_total", "counter", "What a is.");
        page.sample("a_total", &[("function", "iris"), ("reason", "idle")], 3.0);
        page.sample("b_seconds", &[], 0.002_5);
        assert_eq!(
            page.into_text(),
            "# HELP a_total What a is.\n# TYPE a_total counter\n\
             a_total{function=\"iris\",reason=\"idle\"} 3\nb_seconds 0.0025\n"
        );
    }
}
