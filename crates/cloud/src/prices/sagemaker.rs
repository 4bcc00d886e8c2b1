//! What a serverless endpoint of SageMaker costs a month.

use modelet_core::Processor;
use serde::Deserialize;

use super::{Bill, MB_PER_GB, MONTH_S, Month, Use};
use crate::aws::sagemaker::Serverless;
use crate::error::CloudError;

/// The card that modelet brings.
const SAGEMAKER: &str = include_str!("sagemaker.toml");

/// What SageMaker's Serverless Inference costs. Prices in US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SagemakerPrices {
    /// Of which day it is.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// A GB-second of work.
    pub gb_second: f64,
    /// A GB-second of instances that are kept ready.
    pub ready_gb_second: Option<f64>,
    /// A GB-second of them while they work.
    pub ready_working_gb_second: Option<f64>,
}

impl SagemakerPrices {
    /// Reads a card; the one that modelet brings, where none is given.
    ///
    /// # Errors
    /// What is wrong with the card.
    pub fn read(text: Option<&str>) -> Result<Self, CloudError> {
        toml::from_str(text.unwrap_or(SAGEMAKER))
            .map_err(|error| CloudError::refused(format!("the card of prices is none: {error}")))
    }

    /// What a month costs; `None` where instances are kept ready and the card does not say what they cost. Each call is billed by whole
    /// milliseconds; calls of instances that are kept ready are all taken to be theirs.
    pub fn month(self, calls: u64, ms_per_call: f64, limits: Serverless) -> Option<Month> {
        let memory_gb = limits.memory_mb as f64 / MB_PER_GB;
        let gb_seconds = calls as f64 * ms_per_call.ceil() / 1_000.0 * memory_gb;
        let ready = u32::try_from(limits.provisioned.unwrap_or(0)).unwrap_or(u32::MAX);
        let (per_work, per_ready) = if ready > 0 {
            (self.ready_working_gb_second?, self.ready_gb_second?)
        } else {
            (self.gb_second, 0.0)
        };
        let lines = [
            (format!("{gb_seconds:.0} GB-seconds of work"), gb_seconds * per_work),
            (format!("{ready} instances kept ready"), f64::from(ready) * memory_gb * MONTH_S * per_ready),
        ];
        let usd = lines.iter().map(|(_, usd)| usd).sum();
        let lines = lines.into_iter().filter(|(_, usd)| *usd > 0.0).collect();
        // What is free there is free for the first two months alone.
        let bill = Bill { lines, usd, usd_with_free: usd };
        let (processor, memory_mb) = (Processor::X86_64, limits.memory_mb);
        let used = Use { processor, calls, ms_per_call, memory_mb, tmp_mb: 0, ready };
        Some(Month { date: self.date, source: self.source, used, bill })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Serverless = Serverless { memory_mb: 3_072, max_concurrency: 4, provisioned: None };

    #[test]
    fn a_month_costs_its_seconds_by_the_memory_that_is_set() {
        // 0.00006 a second with 3 GB: AWS' price list.
        let month = SagemakerPrices::read(None).unwrap().month(1_000_000, 99.5, LIMITS).unwrap();
        assert!((month.bill.usd - 100_000.0 * 0.000_06).abs() < 1e-6, "{month:?}");
        assert!(month.date.parse::<jiff::civil::Date>().is_ok());
    }

    #[test]
    fn what_the_card_has_no_price_for_is_not_guessed() {
        let ready = Serverless { provisioned: Some(2), ..LIMITS };
        assert_eq!(SagemakerPrices::read(None).unwrap().month(10, 10.0, ready), None);
        let own =
            "date = \"x\"\nsource = \"y\"\ngb_second = 1\nready_gb_second = 1\nready_working_gb_second = 0.5";
        let month = SagemakerPrices::read(Some(own)).unwrap().month(1_000, 1_000.0, ready).unwrap();
        assert!((month.bill.usd - (1_500.0 + 2.0 * 3.0 * 2_592_000.0)).abs() < 1e-6, "{month:?}");
    }
}
