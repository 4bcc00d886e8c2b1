//! The handler of native models: decode, predict, encode.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use modelet_core::{Code, FunctionError, PlatformError};
use modelet_model::{LoadOptions, rows};
use modelet_protocol::{FunctionContext, Operation, ProtocolName, Refused, Route};

use crate::batch::{Batcher, Computed};
use crate::config::Config;
use crate::handler::timing::{SERVER_TIMING, server_timing};
use crate::handler::{self, Answering, Arriving, Handler, failed, panicked};
use crate::log::Rows;
use crate::processor;

/// A loaded model and what its protocols need to know of it.
pub struct ModelHandler {
    batcher: Batcher,
    context: FunctionContext,
}

impl ModelHandler {
    /// Loads the model of an artifact with the engine that its card names, and no other.
    pub fn load(config: &Config) -> Result<Self, FunctionError> {
        let card = &config.card;
        let model_card = card.model().ok_or_else(|| {
            FunctionError::new(Code::ModelRefused, format!("{} is code, and not a model", card.name))
        })?;
        let settings = &card.settings;
        let options = LoadOptions {
            threads: settings.engine_threads(),
            onnxruntime_library: config.onnxruntime.clone(),
            files: config.read_from.clone(),
        };
        let model = modelet_model::load(
            model_card.engine,
            &config.files().join(&model_card.file),
            &model_card.steps,
            &options,
        )?;
        let context = FunctionContext {
            name: card.name.clone(),
            version: config.version,
            signature: model_card.signature.clone(),
            non_finite: card.manifest.non_finite,
            body_limit_bytes: settings.body_limit_bytes(),
            response_limit_bytes: settings.response_limit_bytes(),
        };
        let batcher = Batcher::new(model, &context.signature, settings);
        Ok(Self { batcher, context })
    }

    /// `used` becomes the processor time that this call used.
    async fn predict(
        &self,
        route: &Route,
        head: &Parts,
        body: Arriving<'_>,
        used: &mut Duration,
    ) -> Result<Response<Bytes>, Refused> {
        let body = self.batcher.arrive(body).await?;
        let started = Instant::now();
        let decoded = guarded(used, || {
            modelet_protocol::decode(route, &head.headers, head.uri.query(), body, &self.context)
        })?;
        let decoded_at = Instant::now();
        let rows = rows::count(&decoded.inputs).map(Rows);
        let computed = self.batcher.compute(decoded.inputs, decoded.outputs).await;
        *used += computed.used;
        let predicted_at = Instant::now();
        let together = together(&computed);
        let encoded = computed.outputs.and_then(|outputs| {
            guarded(used, || modelet_protocol::encode(&decoded.reply, outputs, &self.context))
        });
        let mut response = encoded.map_err(|error| Refused { error, reply: Some(decoded.reply) })?;
        let phases = [
            ("decode", decoded_at - started),
            ("gather", (predicted_at - decoded_at).saturating_sub(computed.took)),
            ("predict", computed.took),
            ("encode", predicted_at.elapsed()),
        ];
        response.headers_mut().insert(SERVER_TIMING, server_timing(&phases, together));
        if let Some(rows) = rows {
            response.extensions_mut().insert(rows);
        }
        Ok(response)
    }

    async fn answer(&self, head: &Parts, body: Arriving<'_>) -> Response<Bytes> {
        let mut used = Duration::ZERO;
        let mut response = match modelet_protocol::route(&head.method, head.uri.path()) {
            Some(Ok(route)) if route.operation == Operation::Predict => {
                let predicted = self.predict(&route, head, body, &mut used).await;
                predicted.unwrap_or_else(|refused| handler::refused(route.protocol, refused))
            }
            Some(Err((protocol, error))) => failed(protocol, &error.into()),
            Some(Ok(_)) | None => {
                let error = PlatformError::new(Code::RouteNotFound, "an instance only answers predictions");
                failed(ProtocolName::Fn, &error.into())
            }
        };
        // Another header of the same name: lists are joined by whoever reads them (RFC 9110, 5.3).
        response.headers_mut().append(SERVER_TIMING, server_timing(&[("cpu", used)], None));
        response
    }
}

impl Handler for ModelHandler {
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a> {
        Box::pin(async { self.answer(head, body).await.map(Into::into) })
    }

    fn body_limit_bytes(&self) -> u64 {
        self.context.body_limit_bytes
    }
}

/// Runs our own code over a client's data; a panic in it fails this call alone.
fn guarded<T, E: From<FunctionError>>(
    used: &mut Duration,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let done = processor::count(used, || catch_unwind(AssertUnwindSafe(run)));
    done.unwrap_or_else(|panic| Err(panicked(panic.as_ref()).into()))
}

/// What a call was computed with, when it was not alone, as a metric of `Server-Timing`. Without commas: lists are divided there.
fn together(computed: &Computed) -> Option<String> {
    (computed.calls > 1)
        .then(|| format!("batch;desc=\"{} calls with {} rows\"", computed.calls, computed.rows))
}
