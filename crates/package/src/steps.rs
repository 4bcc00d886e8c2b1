//! Which steps belong to a model: what the manifest says, and what its folder carries, as Hugging Face and sentence-transformers
//! write it.

mod audio;
mod image;
mod labels;
mod processor;

use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::manifest::TextNotes;
use modelet_core::steps::{Pooling, TextStep};
use modelet_core::{Code, FunctionError, Manifest, Signature, Steps};
use serde_json::Value;

use labels::Takes;

/// The tokenizer's file, unless the manifest names another.
const TOKENIZER: &str = "tokenizer.json";
/// Where exporters put the model below the files that belong to it.
pub const MODEL_FOLDER: &str = "onnx";
/// Tokens of one text when nobody says: what the first models of this kind had.
const DEFAULT_MAX_TOKENS: u64 = 512;
/// What transformers writes for "no limit" is far beyond this.
const MOST_MAX_TOKENS: u64 = 1 << 20;
/// Largest file that is read for what it says, in bytes.
const MAX_SAID_BYTES: u64 = 16 << 20;

/// The output of models that pool by themselves.
const POOLED: &str = "sentence_embedding";

/// The steps of an ONNX model, and where its tokenizer lies, if it has one.
///
/// # Errors
/// `bad-manifest` when the manifest asks for what is not there; `model-refused` when the folder asks for what we do not do.
pub fn find(model: &Path, manifest: &Manifest) -> Result<(Steps, Option<PathBuf>), FunctionError> {
    check_declared(manifest)?;
    let folder = folder_of(model);
    let (text, tokenizer) = find_text(model, manifest, &folder)?;
    let said = Said { folder: &folder };
    let audio = match text.is_none() && !declares(manifest, "image") {
        true => audio::find(manifest.audio.as_ref(), &said)?,
        false => None,
    };
    let asks_for_image = manifest.image.is_some() || (said.has(image::PROCESSOR) && !audio::is_said(&said));
    let image = match text.is_none() && audio.is_none() && asks_for_image {
        true => {
            let signature = modelet_model::summarize(model)?.signature()?;
            image::find(manifest.image.as_ref(), &said, &signature)?
        }
        false => None,
    };
    let takes = match (&text, &image, &audio) {
        (Some(_), ..) => Some(Takes::Texts),
        (None, Some(_), _) => Some(Takes::Pictures),
        (None, None, Some(_)) => Some(Takes::Sounds),
        (None, None, None) => None,
    };
    let labels = match manifest.labels.is_some() || takes.is_some() {
        true => {
            let signature = modelet_model::summarize(model)?.signature()?;
            labels::find(manifest.labels.as_ref(), &said, &signature, takes.unwrap_or(Takes::Texts))?
        }
        false => None,
    };
    Ok((Steps { text, image, audio, labels }, tokenizer))
}

fn find_text(
    model: &Path,
    manifest: &Manifest,
    folder: &Path,
) -> Result<(Option<TextStep>, Option<PathBuf>), FunctionError> {
    let notes = manifest.text.clone().unwrap_or_default();
    let tokenizer = folder.join(notes.tokenizer.as_deref().unwrap_or(TOKENIZER));
    if notes.off || (manifest.text.is_none() && !tokenizer.is_file()) {
        return Ok((None, None));
    }
    let signature = modelet_model::summarize(model)?.signature()?;
    if manifest.text.is_none() && signature.input("input_ids").is_none() {
        return Ok((None, None));
    }
    if !tokenizer.is_file() {
        let message = format!("[text] needs a tokenizer, and there is no {}", tokenizer.display());
        return Err(FunctionError::new(Code::BadManifest, message)
            .hint("save it beside the model: tokenizer.save_pretrained(FOLDER), or name its file: tokenizer = \"FILE\""));
    }
    let text = text(&notes, &Said { folder }, &signature, &tokenizer)?;
    Ok((Some(text), Some(tokenizer)))
}

/// Refuses a model with two beginnings.
fn check_declared(manifest: &Manifest) -> Result<(), FunctionError> {
    match declared(manifest).as_slice() {
        [first @ ("text" | "image"), second @ ("image" | "audio"), ..] => {
            let message =
                format!("modelet.toml has [{first}] and [{second}]: a model takes texts, pictures or sounds");
            Err(FunctionError::new(Code::BadManifest, message).hint("leave out one of them"))
        }
        _ => Ok(()),
    }
}

/// Refuses steps around a model that is no ONNX file: what it was made of takes rows of a table.
///
/// # Errors
/// `bad-manifest` that names the first.
pub fn refuse_declared(manifest: &Manifest) -> Result<(), FunctionError> {
    let Some(first) = declared(manifest).first().copied() else { return Ok(()) };
    let message = format!("modelet.toml has [{first}], which is for ONNX models, and this one is none");
    Err(FunctionError::new(Code::BadManifest, message).hint("leave it out"))
}

/// The steps that a manifest asks for, by the names of their tables.
fn declared(manifest: &Manifest) -> Vec<&'static str> {
    let text = manifest.text.as_ref().is_some_and(|notes| !notes.off);
    let image = manifest.image.as_ref().is_some_and(|notes| !notes.off);
    let audio = manifest.audio.as_ref().is_some_and(|notes| !notes.off);
    let labels = manifest.labels.as_ref().is_some_and(|notes| !notes.off);
    let all = [("text", text), ("image", image), ("audio", audio), ("labels", labels)];
    all.into_iter().filter(|(_, is_declared)| *is_declared).map(|(name, _)| name).collect()
}

fn declares(manifest: &Manifest, name: &str) -> bool {
    declared(manifest).contains(&name)
}

/// The folder that carries what belongs to a model.
fn folder_of(model: &Path) -> PathBuf {
    let own = model.parent().unwrap_or(Path::new(""));
    let is_below = own.file_name().is_some_and(|name| name == MODEL_FOLDER) && !own.join(TOKENIZER).exists();
    own.parent().filter(|_| is_below).unwrap_or(own).to_owned()
}

fn text(
    notes: &TextNotes,
    said: &Said,
    signature: &Signature,
    tokenizer: &Path,
) -> Result<TextStep, FunctionError> {
    let (pooling, normalize) = match notes.pooling {
        Some(pooling) => (pooling, false),
        None if signature.outputs.iter().all(|output| output.name != POOLED) => said.pooling()?,
        // By the model itself.
        None => (Pooling::None, false),
    };
    let sentence = said.json("sentence_bert_config.json");
    if sentence["do_lower_case"] == true {
        return Err(unsupported("sentence_bert_config.json asks for lower case before the tokenizer"));
    }
    let prompt = notes.prompt.clone().unwrap_or_else(|| said.prompt());
    if !prompt.is_empty()
        && pooling != Pooling::None
        && said.json("1_Pooling/config.json")["include_prompt"] == false
    {
        return Err(unsupported("1_Pooling/config.json leaves the prompt out of the pooling"));
    }
    let name = tokenizer.file_name().and_then(|name| name.to_str()).unwrap_or(TOKENIZER);
    Ok(TextStep {
        tokenizer: name.to_owned(),
        max_tokens: notes.max_tokens.unwrap_or_else(|| said.max_tokens(&sentence, tokenizer)),
        pad_token: said.pad_token(),
        prompt,
        pooling,
        normalize: notes.normalize.unwrap_or(normalize),
    })
}

/// What the files of a folder say.
struct Said<'a> {
    folder: &'a Path,
}

impl Said<'_> {
    /// True when there is such a file.
    fn has(&self, name: &str) -> bool {
        self.folder.join(name).is_file()
    }

    /// A file as JSON; null when it is not there, or none.
    fn json(&self, name: &str) -> Value {
        read(&self.folder.join(name))
    }

    /// How sentence-transformers makes one vector of a text's, and whether it makes it one long; not at all for other models.
    fn pooling(&self) -> Result<(Pooling, bool), FunctionError> {
        let modules = self.json("modules.json");
        let (mut pooling, mut normalize) = (Pooling::None, false);
        for module in modules.as_array().into_iter().flatten() {
            let kind = module["type"].as_str().unwrap_or_default();
            match kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => {
                    let folder = module["path"].as_str().unwrap_or_default();
                    pooling = self.mode(&format!("{folder}/config.json"))?;
                }
                "Normalize" => normalize = true,
                other => return Err(unsupported(&format!("modules.json has the module {other}"))),
            }
        }
        Ok((pooling, normalize))
    }

    fn mode(&self, name: &str) -> Result<Pooling, FunctionError> {
        const MODES: [(&str, Pooling); 4] = [
            ("pooling_mode_cls_token", Pooling::Cls),
            ("pooling_mode_mean_tokens", Pooling::Mean),
            ("pooling_mode_max_tokens", Pooling::Max),
            ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
        ];
        let config = self.json(name);
        let set = config.as_object().into_iter().flatten();
        let set: Vec<&str> = set
            .filter(|(key, value)| key.starts_with("pooling_mode_") && **value == true)
            .map(|(key, _)| key.as_str())
            .collect();
        let known = |key: &str| MODES.iter().find(|(name, _)| *name == key).map(|(_, pooling)| *pooling);
        match set.as_slice() {
            [one] => known(one).ok_or_else(|| unsupported(&format!("{name} has {one}"))),
            several => Err(unsupported(&format!("{name} has {} poolings at once", several.len()))),
        }
    }

    fn max_tokens(&self, sentence: &Value, tokenizer: &Path) -> u32 {
        let said = [
            sentence["max_seq_length"].as_u64(),
            read(tokenizer)["truncation"]["max_length"].as_u64(),
            self.json("tokenizer_config.json")["model_max_length"].as_u64(),
            self.json("config.json")["max_position_embeddings"].as_u64(),
        ];
        let said = said.into_iter().flatten().find(|tokens| (1..=MOST_MAX_TOKENS).contains(tokens));
        u32::try_from(said.unwrap_or(DEFAULT_MAX_TOKENS)).unwrap_or(u32::MAX)
    }

    /// Written as a text, or as an object with it.
    fn pad_token(&self) -> Option<String> {
        let token = &self.json("tokenizer_config.json")["pad_token"];
        token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned)
    }

    fn prompt(&self) -> String {
        let config = self.json("config_sentence_transformers.json");
        let name = config["default_prompt_name"].as_str();
        name.and_then(|name| config["prompts"][name].as_str()).unwrap_or_default().to_owned()
    }
}

fn read(path: &Path) -> Value {
    let is_small = fs::metadata(path).is_ok_and(|file| file.len() <= MAX_SAID_BYTES);
    let bytes = is_small.then(|| fs::read(path).ok()).flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn unsupported(what: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("{what}, which modelet does not do")).hint(
        "say in modelet.toml what is to be done: [text] pooling = \"mean\" (or none, max, cls, mean_sqrt_len), normalize = true",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES: &str = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn pooling(files: &[(&str, &str)]) -> Result<(Pooling, bool), String> {
        let folder = folder(files);
        Said { folder: folder.path() }.pooling().map_err(|error| error.message)
    }

    #[test]
    fn poolings_are_read_as_sentence_transformers_writes_them() {
        let mean = r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#;
        assert_eq!(pooling(&[]), Ok((Pooling::None, false)));
        assert_eq!(
            pooling(&[("modules.json", MODULES), ("1_Pooling/config.json", mean)]),
            Ok((Pooling::Mean, true))
        );
        for (file, text, why) in [
            ("1_Pooling/config.json", r#"{"pooling_mode_lasttoken": true}"#, "pooling_mode_lasttoken"),
            (
                "1_Pooling/config.json",
                r#"{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}"#,
                "2 poolings",
            ),
            ("modules.json", r#"[{"path": "2", "type": "sentence_transformers.models.Dense"}]"#, "Dense"),
        ] {
            let error = pooling(&[("modules.json", MODULES), (file, text)]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn limits_tokens_and_prompts_are_found_where_they_are_said_first() {
        let files = folder(&[
            ("tokenizer.json", r#"{"truncation": {"max_length": 128}}"#),
            ("tokenizer_config.json", r#"{"model_max_length": 1e30, "pad_token": {"content": "<pad>"}}"#),
            ("config.json", r#"{"max_position_embeddings": 514}"#),
            (
                "config_sentence_transformers.json",
                r#"{"prompts": {"q": "query: "}, "default_prompt_name": "q"}"#,
            ),
            ("onnx/model.onnx", ""),
        ]);
        let folder = folder_of(&files.path().join("onnx/model.onnx"));
        assert_eq!(folder, files.path());
        let said = Said { folder: &folder };
        let max_tokens = |sentence: &str, tokenizer: &str| {
            said.max_tokens(&serde_json::from_str(sentence).unwrap(), &folder.join(tokenizer))
        };
        assert_eq!(max_tokens(r#"{"max_seq_length": 256}"#, TOKENIZER), 256);
        assert_eq!(max_tokens("{}", TOKENIZER), 128);
        assert_eq!(max_tokens("{}", "none.json"), 514);
        assert_eq!((said.pad_token().as_deref(), said.prompt().as_str()), (Some("<pad>"), "query: "));
    }
}
