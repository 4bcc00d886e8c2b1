//! The certificate of a converted model: what shows that it answers as the model that it was made of.
//!
//! It is part of the card, and so of the artifact's digest. There is no moment and no duration in it: the same model, proved
//! again in the same way, has the same certificate.

use serde::{Deserialize, Serialize};

use crate::manifest::Rung;

/// What a proof came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every answer is that of the original, within the tolerance.
    Proved,
    /// Answers differ.
    Differs,
    /// The original could not be asked; `reason` says why.
    NotProved,
}

/// A program that took part, with its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Library {
    /// As its package is called.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How far two numbers may be apart: `absolute + relative × |original|`; of a softmax with `by_sums`, see there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tolerance {
    /// In relation to the original's number.
    pub relative: f64,
    /// Whatever the number.
    pub absolute: f64,
    /// Probabilities of a softmax may be apart as their sums may be: a sum that is wrong by δ moves a probability p by up to
    /// `2 δ p (1 − p)`, and δ is `relative` of the widest gap between two sums, `ln(largest p / smallest p)`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_sums: bool,
    /// Why so much.
    pub reason: String,
}

/// The rows that both were asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProofRows {
    /// Made from the model itself.
    pub made: u64,
    /// Given by the user.
    pub given: u64,
    /// Of all these, rows that the original does not answer; they are not compared.
    pub refused: u64,
    /// Of those, rows that the converted model was asked about too, each alone …
    #[serde(default)]
    pub refused_asked: u64,
    /// … and those of them that it answers.
    #[serde(default)]
    pub refused_answered: u64,
    /// Where the made ones come from: the same seed, the same rows.
    pub seed: u64,
    /// SHA-256 of the file that the given ones come from, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_sha256: Option<String>,
}

/// The sizes of inputs whose shape is free behind the rows, and what was asked at them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SizeProof {
    /// The inputs with free sizes, and those that they had: `tokens [any, 17], mask [any, 17]`.
    pub inputs: String,
    /// Rows that were compared; none: the original refuses these sizes.
    pub compared: u64,
}

/// How the answers compare under one output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutputProof {
    /// The output.
    pub name: String,
    /// Numbers or labels that were compared.
    pub values: u64,
    /// Largest difference of two numbers.
    pub largest_absolute: f64,
    /// Largest difference in relation to the original's number.
    pub largest_relative: f64,
    /// Numbers that are further apart than the tolerance; one that is NaN or infinite on one side only among them.
    pub beyond: u64,
    /// Numbers that are NaN on both sides.
    pub nan: u64,
    /// Numbers that are the same infinity on both sides.
    pub infinite: u64,
    /// Labels that differ.
    pub labels_differ: u64,
    /// Labels that differ where the original's two best scores are within the tolerance of each other.
    pub ties: u64,
}

/// What shows that a converted model answers as the original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Certificate {
    /// What it came to.
    pub verdict: Verdict,
    /// Why the original could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the original was answered by: the framework first, Python last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub original: Vec<Library>,
    /// What the imported model was answered by.
    pub imported: Vec<Library>,
    /// The rows.
    #[serde(default)]
    pub rows: ProofRows,
    /// The sizes that were tried, where they are free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<SizeProof>,
    /// How the answers compare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputProof>,
    /// How far they may be apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
    /// How the original was isolated while it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
}

impl ProofRows {
    /// Rows that the original refuses and the converted model too.
    pub const fn refused_by_both(&self) -> u64 {
        self.refused_asked.saturating_sub(self.refused_answered)
    }
}

impl SizeProof {
    /// False when the original refuses these sizes.
    pub const fn is_compared(&self) -> bool {
        self.compared > 0
    }
}

impl OutputProof {
    /// Counts what was compared under the same output elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.largest_absolute = self.largest_absolute.max(other.largest_absolute);
        self.largest_relative = self.largest_relative.max(other.largest_relative);
        self.beyond += other.beyond;
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.labels_differ += other.labels_differ;
        self.ties += other.ties;
    }

    /// True when every answer is the original's.
    pub const fn agrees(&self) -> bool {
        self.beyond == 0 && self.labels_differ == 0
    }

    /// False when nothing was compared, or nothing but what is no number on both sides.
    pub const fn tells(&self) -> bool {
        self.nan + self.infinite < self.values
    }
}

impl Certificate {
    /// One that says why there is no proof.
    pub fn not_proved(reason: impl Into<String>, imported: Vec<Library>) -> Self {
        Self {
            verdict: Verdict::NotProved,
            reason: Some(reason.into()),
            original: Vec::new(),
            imported,
            rows: ProofRows::default(),
            sizes: Vec::new(),
            outputs: Vec::new(),
            tolerance: None,
            rung: None,
        }
    }

    /// Rows that were compared.
    pub const fn rows_compared(&self) -> u64 {
        (self.rows.made + self.rows.given).saturating_sub(self.rows.refused)
    }

    /// The first word of [`Certificate::line`].
    pub const fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Proved => "proved",
            Verdict::Differs => "differs",
            Verdict::NotProved => "not proved",
        }
    }

    /// All of it in a line, but for its first word: `1,842 rows, largest difference 3e-8 (tolerance 1e-6), against xgboost 3.2.0`.
    pub fn line(&self) -> String {
        if let Some(reason) = &self.reason {
            return reason.clone();
        }
        let mut parts = vec![format!("{} rows", thousands(self.rows_compared()))];
        parts.extend((self.rows.given > 0).then(|| format!("{} of them given", thousands(self.rows.given))));
        let (tried, refused): (Vec<_>, Vec<_>) = self.sizes.iter().partition(|sizes| sizes.is_compared());
        for (sizes, what) in [(tried, "sizes"), (refused, "sizes that the original refuses")] {
            parts.extend((!sizes.is_empty()).then(|| format!("{} {what}", sizes.len())));
        }
        let sum = |count: fn(&OutputProof) -> u64| self.outputs.iter().map(count).sum::<u64>();
        for (count, what) in [
            (sum(|output| output.labels_differ), "labels differ"),
            (sum(|output| output.beyond), "numbers beyond the tolerance"),
            (sum(|output| output.ties), "ties"),
            (self.rows.refused_answered, "answered that the original refuses"),
            (self.rows.refused_by_both(), "refused by both"),
        ] {
            parts.extend((count > 0).then(|| format!("{} {what}", thousands(count))));
        }
        let largest = self.outputs.iter().map(|output| output.largest_absolute).fold(0.0, f64::max);
        let tolerance = self.tolerance.as_ref().map_or(0.0, |tolerance| tolerance.relative);
        parts.push(format!("largest difference {} (tolerance {})", short(largest), short(tolerance)));
        let against =
            self.original.first().map(|library| format!("against {} {}", library.name, library.version));
        parts.extend(against);
        parts.join(", ")
    }
}

/// A small number in a few characters: `3e-8`.
pub fn short(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { format!("{number:.0e}") }
}

/// A number with its thousands apart.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(verdict: Verdict) -> Certificate {
        let library = |name: &str, version: &str| Library { name: name.into(), version: version.into() };
        Certificate {
            verdict,
            reason: None,
            original: vec![library("xgboost", "3.2.0"), library("Python", "3.11.7")],
            imported: vec![library("modelet", "0.1.0")],
            rows: ProofRows { made: 1_900, refused: 58, seed: 1, ..ProofRows::default() },
            sizes: vec![],
            outputs: vec![OutputProof { name: "y".into(), largest_absolute: 3e-8, ..OutputProof::default() }],
            tolerance: Some(Tolerance {
                relative: 1e-6,
                absolute: 1e-6,
                by_sums: false,
                reason: "float32".into(),
            }),
            rung: Some(Rung::Namespaces),
        }
    }

    #[test]
    fn a_line_says_what_was_compared() {
        let line = certificate(Verdict::Proved).line();
        assert_eq!(line, "1,842 rows, largest difference 3e-8 (tolerance 1e-6), against xgboost 3.2.0");
        let mut differs = certificate(Verdict::Differs);
        differs.outputs[0].labels_differ = 1_234_567;
        (differs.rows.refused_asked, differs.rows.refused_answered) = (50, 2);
        let said = "1,234,567 labels differ, 2 answered that the original refuses, 48 refused by both";
        assert!(differs.line().contains(said));
        assert!(differs.line().contains("1,234,567 labels differ"));
        let mut sized = certificate(Verdict::Proved);
        sized.sizes = [40, 0, 100].map(|compared| SizeProof { inputs: "x [any, 2]".into(), compared }).into();
        assert!(
            sized.line().starts_with("1,842 rows, 2 sizes, 1 sizes that the original refuses, largest"),
            "{}",
            sized.line()
        );
        assert_eq!(Certificate::not_proved("no uv", vec![]).line(), "no uv");
    }

    #[test]
    fn it_reads_as_it_was_written() {
        let whole = certificate(Verdict::Proved);
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Certificate>(&text).unwrap(), whole);
        let before_rows_were_asked_alone = r#"{"verdict": "proved", "imported": [], "rows": {"made": 9, "given": 0, "refused": 2, "seed": 1}}"#;
        let rows = serde_json::from_str::<Certificate>(before_rows_were_asked_alone).unwrap().rows;
        assert_eq!((rows.refused, rows.refused_asked), (2, 0));
        let least = r#"{"verdict": "not-proved", "imported": []}"#;
        assert_eq!(serde_json::from_str::<Certificate>(least).unwrap().verdict, Verdict::NotProved);
    }
}
