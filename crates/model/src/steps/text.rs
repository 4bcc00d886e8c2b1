//! A model of tokens that takes text. Its tokenizer is the file that its authors trained it with.

use std::path::Path;

use modelet_core::steps::{EMBEDDING_OUTPUT, Pooling, TEXT_INPUT, TextStep};
use modelet_core::{
    Code, DType, Data, Dim, FunctionError, InputSpec, OutputKind, OutputSpec, Signature, Tensor, Value,
};
use tokenizers::{
    Encoding, PaddingDirection, PaddingParams, PostProcessor, Tokenizer, TruncationDirection,
    TruncationParams,
};

use crate::binding::{bind_inputs, bind_outputs};
use crate::engine::Model;
use crate::files::Files;
use crate::steps::pooling;

/// Texts that the model computes at once, of about the same length: what is filled up is computed in vain.
const TEXTS_AT_ONCE: usize = 32;

/// What models of tokens are given, by the names that all exporters use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    Ids,
    Mask,
    Types,
}

impl Feed {
    fn of(name: &str) -> Option<Self> {
        match name {
            "input_ids" => Some(Self::Ids),
            "attention_mask" => Some(Self::Mask),
            "token_type_ids" => Some(Self::Types),
            _ => None,
        }
    }

    fn tokens(self, encoding: &Encoding) -> &[u32] {
        match self {
            Self::Ids => encoding.get_ids(),
            Self::Mask => encoding.get_attention_mask(),
            Self::Types => encoding.get_type_ids(),
        }
    }

    fn padding(self, padding: &PaddingParams) -> u32 {
        match self {
            Self::Ids => padding.pad_id,
            Self::Mask => 0,
            Self::Types => padding.pad_type_id,
        }
    }
}

/// A model of tokens behind a tokenizer.
pub struct TextModel {
    inner: Box<dyn Model>,
    tokenizer: Tokenizer,
    padding: PaddingParams,
    prompt: String,
    feeds: Vec<(String, DType, Feed)>,
    pooled: Option<Pooled>,
    signature: Signature,
}

/// Which output is pooled, and how.
#[derive(Clone)]
struct Pooled {
    output: String,
    pooling: Pooling,
    normalize: bool,
}

impl TextModel {
    /// Lays the step around a model; the tokenizer lies in `folder`.
    pub fn around(
        inner: Box<dyn Model>,
        step: &TextStep,
        folder: &Path,
        files: &Files,
    ) -> Result<Self, FunctionError> {
        let feeds = feeds(inner.signature())?;
        let path = folder.join(&step.tokenizer);
        let damaged = |error: &dyn std::fmt::Display| {
            refused(format!("the tokenizer {} cannot be used: {error}", step.tokenizer))
        };
        let content = files.read(&path).map_err(|error| damaged(&error))?;
        let mut tokenizer = Tokenizer::from_bytes(content).map_err(|error| damaged(&error))?;
        let padding = padding(&tokenizer, step)?;
        let direction =
            tokenizer.get_truncation().map_or(TruncationDirection::Right, |truncation| truncation.direction);
        let special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if step.max_tokens as usize <= special {
            let max_tokens = step.max_tokens;
            return Err(refused(format!(
                "max_tokens = {max_tokens} leaves no room beside the {special} special tokens of the tokenizer"
            )));
        }
        let truncation = TruncationParams {
            max_length: step.max_tokens as usize,
            direction,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| damaged(&error))?;
        // Texts are filled up here, where it is known which of them are computed together.
        tokenizer.with_padding(None);
        let (pooled, outputs) = match step.pooling {
            Pooling::None => (None, inner.signature().outputs.clone()),
            pooling => {
                let (output, embedding) = embedding(inner.signature())?;
                (Some(Pooled { output, pooling, normalize: step.normalize }), vec![embedding])
            }
        };
        let text = InputSpec {
            name: TEXT_INPUT.to_owned(),
            dtype: DType::Str,
            shape: Some(vec![Dim::Named("batch".to_owned())]),
            optional: false,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        };
        let signature = Signature::new(vec![text], outputs);
        Ok(Self { inner, tokenizer, padding, prompt: step.prompt.clone(), feeds, pooled, signature })
    }

    fn encode(&self, text: &str) -> Result<Encoding, FunctionError> {
        let encoded = match self.prompt.as_str() {
            "" => self.tokenizer.encode_fast(text, true),
            prompt => self.tokenizer.encode_fast(format!("{prompt}{text}"), true),
        };
        encoded.map_err(|error| failed(format!("a text could not be cut into tokens: {error}")))
    }

    /// What the model is given for some texts: all as long as the longest.
    fn feed(&self, texts: &[&Encoding]) -> Result<Vec<(String, Tensor)>, FunctionError> {
        // A text may have no token at all; a model is given at least one place.
        let length = texts.iter().map(|text| text.len()).max().unwrap_or(0).max(1);
        let tensor = |dtype: &DType, feed: Feed| {
            let fill = feed.padding(&self.padding);
            let tokens = texts.iter().flat_map(|text| {
                let tokens = feed.tokens(text);
                let (before, after) = self.around_padding(length - tokens.len());
                let fill = |count| std::iter::repeat_n(fill, count);
                fill(before).chain(tokens.iter().copied()).chain(fill(after))
            });
            let data = match dtype {
                DType::I32 => Data::I32(tokens.map(|token| token as i32).collect()),
                _ => Data::I64(tokens.map(i64::from).collect()),
            };
            Tensor::new(vec![texts.len(), length], data).map_err(|error| failed(error.to_string()))
        };
        self.feeds.iter().map(|(name, dtype, feed)| Ok((name.clone(), tensor(dtype, *feed)?))).collect()
    }

    /// How much of the padding comes before a text, and how much after it.
    fn around_padding(&self, count: usize) -> (usize, usize) {
        match self.padding.direction {
            PaddingDirection::Left => (count, 0),
            PaddingDirection::Right => (0, count),
        }
    }

    /// One vector for each text, in their order.
    fn embed(&mut self, pooled: &Pooled, texts: &[Encoding]) -> Result<Tensor, FunctionError> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(texts[*place].len()));
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        let wanted = [pooled.output.clone()];
        for places in order.chunks(TEXTS_AT_ONCE) {
            let together: Vec<&Encoding> = places.iter().map(|place| &texts[*place]).collect();
            let outputs = self.inner.predict(self.feed(&together)?, Some(&wanted))?;
            let (values, length, width) = token_vectors(&outputs)?;
            for ((place, text), tokens) in places.iter().zip(together).zip(values.chunks(length * width)) {
                let (before, after) = self.around_padding(length.saturating_sub(text.len()));
                let fill = |count| std::iter::repeat_n(false, count);
                let own = text.get_attention_mask().iter().map(|mask| *mask != 0);
                let mask: Vec<bool> = fill(before).chain(own).chain(fill(after)).collect();
                let vector = &mut vectors[*place];
                pooling::pool(pooled.pooling, tokens, &mask, width, vector);
                if pooled.normalize {
                    pooling::normalize(vector);
                }
            }
        }
        let width = vectors.first().map_or(0, Vec::len);
        let shape = vec![texts.len(), width];
        Tensor::new(shape, vectors.concat()).map_err(|error| failed(error.to_string()))
    }
}

impl Model for TextModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let bound = bind_inputs(&self.signature, &inputs)?;
        let Some(Data::Str(texts)) = bound.first().copied().flatten().map(Tensor::data) else {
            return Err(FunctionError::bad_input(TEXT_INPUT, "texts", "none"));
        };
        let encodings = texts.iter().map(|text| self.encode(text)).collect::<Result<Vec<_>, _>>()?;
        let Some(pooled) = self.pooled.clone() else {
            let texts: Vec<&Encoding> = encodings.iter().collect();
            let feed = self.feed(&texts)?;
            return self.inner.predict(feed, outputs);
        };
        let wanted = bind_outputs(&self.signature, outputs)?;
        let embedding = self.embed(&pooled, &encodings)?;
        let named = wanted.iter().map(|_| (EMBEDDING_OUTPUT.to_owned(), Value::Tensor(embedding.clone())));
        Ok(named.collect())
    }
}

/// The inputs of the model by what they are given.
fn feeds(signature: &Signature) -> Result<Vec<(String, DType, Feed)>, FunctionError> {
    let mut feeds = Vec::new();
    for input in &signature.inputs {
        let is_tokens = matches!(input.dtype, DType::I32 | DType::I64)
            && input.shape.as_ref().is_none_or(|shape| shape.len() == 2);
        if is_tokens && input.shape.iter().flatten().any(|dim| dim.fixed().is_some()) {
            let (name, shape) = (&input.name, input.shape_text());
            return Err(refused(format!(
                "the model takes {name} of the shape {shape} only, and texts are of any length"
            ))
            .hint("export it again with dynamic axes for batch and sequence"));
        }
        match Feed::of(&input.name).filter(|_| is_tokens) {
            Some(feed) => feeds.push((input.name.clone(), input.dtype, feed)),
            None if input.optional => {}
            None => {
                let message = format!(
                    "the model is no model of tokens alone: it has the input {} {} {}",
                    input.name,
                    input.dtype,
                    input.shape_text()
                );
                return Err(refused(message).hint(
                    "a [text] step feeds input_ids, attention_mask and token_type_ids; [text] off = true serves the model as it is",
                ));
            }
        }
    }
    Ok(feeds)
}

/// The output that has a vector for each token, and what is made of it.
fn embedding(signature: &Signature) -> Result<(String, OutputSpec), FunctionError> {
    let vectors = |output: &&OutputSpec| matches!(&output.kind, OutputKind::Tensor { dtype: DType::F32, shape } if shape.as_ref().is_none_or(|shape| shape.len() == 3));
    let named = |name: &str| signature.outputs.iter().filter(vectors).find(|output| output.name == name);
    let output = named("last_hidden_state")
        .or_else(|| named("token_embeddings"))
        .or_else(|| signature.outputs.iter().find(vectors));
    let output = output.ok_or_else(|| {
        refused(
            "the model has no output with a float32 vector for each token, which pooling needs".to_owned(),
        )
        .hint("[text] pooling = \"none\" gives the model's own outputs")
    })?;
    let width = match &output.kind {
        OutputKind::Tensor { shape: Some(shape), .. } => shape.last().cloned(),
        _ => None,
    };
    let shape = vec![Dim::Named("batch".to_owned()), width.unwrap_or(Dim::Dynamic)];
    let kind = OutputKind::Tensor { dtype: DType::F32, shape: Some(shape) };
    Ok((
        output.name.clone(),
        OutputSpec { name: EMBEDDING_OUTPUT.to_owned(), kind, classes: None, ranking: None },
    ))
}

/// How texts are filled up: as the tokenizer says, else by the token that its authors name.
fn padding(tokenizer: &Tokenizer, step: &TextStep) -> Result<PaddingParams, FunctionError> {
    if let Some(padding) = tokenizer.get_padding() {
        return Ok(padding.clone());
    }
    let Some(token) = &step.pad_token else { return Ok(PaddingParams::default()) };
    let id = tokenizer.token_to_id(token);
    let pad_id =
        id.ok_or_else(|| refused(format!("the tokenizer has no token {token:?} to fill texts up with")))?;
    Ok(PaddingParams { pad_id, pad_token: token.clone(), ..PaddingParams::default() })
}

/// The vectors of tokens that the model gave, how many there are for a text, and how long each is.
fn token_vectors(outputs: &[(String, Value)]) -> Result<(&[f32], usize, usize), FunctionError> {
    match outputs {
        [(_, Value::Tensor(tensor))] => match (tensor.data(), tensor.shape()) {
            (Data::F32(values), [_, length, width]) => Ok((values, (*length).max(1), (*width).max(1))),
            (data, shape) => Err(failed(format!(
                "the model gave {} {shape:?} instead of a vector for each token",
                data.dtype()
            ))),
        },
        _ => Err(failed("the model gave no tensor".to_owned())),
    }
}

fn refused(message: String) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message)
}

fn failed(message: String) -> FunctionError {
    FunctionError::new(Code::PredictionFailed, message)
}
