//! What a function costs a month: computed from a card, which says of when it is and from where. Anybody may have a card of their own.

pub mod sagemaker;

use modelet_core::Processor;
use serde::{Deserialize, Serialize};

use crate::error::CloudError;

/// The card that modelet brings.
const AWS_LAMBDA: &str = include_str!("prices/aws-lambda.toml");
/// Seconds of a month of thirty days.
const MONTH_S: f64 = 2_592_000.0;
/// MB of a GB, as AWS counts memory.
const MB_PER_GB: f64 = 1_024.0;

/// What AWS Lambda costs. Prices in US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaPrices {
    /// Of which day it is.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// A million requests.
    pub per_million_requests: f64,
    /// A GB-second of `/tmp` beyond what is free.
    pub tmp_gb_second: f64,
    /// `/tmp` that is free, MB.
    pub free_tmp_mb: u64,
    /// Requests a month that are free.
    pub free_requests: u64,
    /// GB-seconds a month that are free.
    pub free_gb_seconds: f64,
    /// What costs otherwise on another processor.
    pub x86_64: ProcessorPrices,
    /// The same of ARM's.
    pub arm64: ProcessorPrices,
}

/// What costs otherwise on another processor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessorPrices {
    /// A GB-second of instances that are kept ready.
    pub ready_gb_second: f64,
    /// A GB-second of them while they work.
    pub ready_working_gb_second: f64,
    /// A GB-second of work, the more the cheaper.
    pub gb_second: Vec<Rung>,
}

/// A price that holds up to a quantity.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The quantity a month; absent: any.
    pub up_to: Option<f64>,
    /// The price of one.
    pub price: f64,
}

/// What is used in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Use {
    /// The processor.
    pub processor: Processor,
    /// Calls.
    pub calls: u64,
    /// The time of one, milliseconds.
    pub ms_per_call: f64,
    /// Memory, MB.
    pub memory_mb: u64,
    /// `/tmp`, MB.
    pub tmp_mb: u64,
    /// Instances that are kept ready all the month.
    pub ready: u32,
}

/// What a month costs, and by which card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Month {
    /// Of which day the card is.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// What is used.
    #[serde(rename = "use")]
    pub used: Use,
    /// What that costs.
    pub bill: Bill,
}

/// What a month costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bill {
    /// What is paid for, and how much.
    pub lines: Vec<(String, f64)>,
    /// All of it, without what is free.
    pub usd: f64,
    /// All of it, when nothing else of the account uses what is free.
    pub usd_with_free: f64,
}

impl LambdaPrices {
    /// Reads a card; the one that modelet brings, where none is given.
    ///
    /// # Errors
    /// What is wrong with the card.
    pub fn read(text: Option<&str>) -> Result<Self, CloudError> {
        let card: Self = toml::from_str(text.unwrap_or(AWS_LAMBDA))
            .map_err(|error| CloudError::refused(format!("the card of prices is none: {error}")))?;
        for processor in [Processor::X86_64, Processor::Arm64] {
            let last = card.of(processor).gb_second.last();
            if last.is_none_or(|rung| rung.up_to.is_some()) {
                let why = format!("the card of prices has no last [[{processor}.gb_second]] without up_to");
                return Err(CloudError::refused(why));
            }
        }
        Ok(card)
    }

    fn of(&self, processor: Processor) -> &ProcessorPrices {
        match processor {
            Processor::X86_64 => &self.x86_64,
            Processor::Arm64 => &self.arm64,
        }
    }

    /// What a month costs. Each call is billed by whole milliseconds; calls of instances that are kept ready are all taken to be theirs.
    pub fn month(&self, used: Use) -> Bill {
        let memory_gb = used.memory_mb as f64 / MB_PER_GB;
        let seconds = used.calls as f64 * used.ms_per_call.ceil() / 1_000.0;
        let gb_seconds = seconds * memory_gb;
        let tmp_gb = used.tmp_mb.saturating_sub(self.free_tmp_mb) as f64 / MB_PER_GB;
        let requests = used.calls as f64 / 1e6 * self.per_million_requests;
        let prices = self.of(used.processor);
        let work = if used.ready > 0 {
            gb_seconds * prices.ready_working_gb_second
        } else {
            prices.work(gb_seconds)
        };
        let ready = f64::from(used.ready) * memory_gb * MONTH_S * prices.ready_gb_second;
        let tmp = seconds * tmp_gb * self.tmp_gb_second;
        let lines = [
            (format!("{} calls", used.calls), requests),
            (format!("{gb_seconds:.0} GB-seconds of work"), work),
            (format!("{} instances kept ready", used.ready), ready),
            (format!("{} MB of /tmp", used.tmp_mb), tmp),
        ];
        let free_work = if used.ready > 0 {
            0.0
        } else {
            work - prices.work((gb_seconds - self.free_gb_seconds).max(0.0))
        };
        let free_requests = used.calls.min(self.free_requests) as f64 / 1e6 * self.per_million_requests;
        let usd = requests + work + ready + tmp;
        Bill {
            lines: lines.into_iter().filter(|(_, usd)| *usd > 0.0).collect(),
            usd,
            usd_with_free: usd - free_work - free_requests,
        }
    }
}

impl ProcessorPrices {
    fn work(&self, gb_seconds: f64) -> f64 {
        let (mut usd, mut from) = (0.0, 0.0);
        for rung in &self.gb_second {
            let to = rung.up_to.unwrap_or(f64::INFINITY).min(gb_seconds);
            usd += (to - from).max(0.0) * rung.price;
            from = to.max(from);
        }
        usd
    }
}

#[cfg(test)]
mod tests {
    use Processor::{Arm64, X86_64};

    use super::*;

    const USED: Use = Use {
        processor: X86_64,
        calls: 3_000_000,
        ms_per_call: 119.2,
        memory_mb: 1_536,
        tmp_mb: 512,
        ready: 0,
    };

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.005, "{found} is not {expected}");
    }

    #[test]
    fn a_month_costs_what_the_vendors_own_example_says() {
        // AWS' pricing page: 3 million calls of 120 ms with 1,536 MB are 540,000 GB-seconds, of which 140,000 are paid: 2.33 and 0.40.
        let bill = LambdaPrices::read(None).unwrap().month(USED);
        close(bill.usd_with_free, 2.73);
        close(bill.usd, 9.60);
        assert_eq!(bill.lines.len(), 2, "{bill:?}");
    }

    #[test]
    fn the_more_the_cheaper_and_what_is_kept_ready_is_paid_for_all_the_month() {
        let prices = LambdaPrices::read(None).unwrap();
        let work = |gb_seconds| prices.x86_64.work(gb_seconds);
        close(work(7e9), 6e9 * 0.000_016_666_7 + 1e9 * 0.000_015);
        close(work(16e9), 6e9 * 0.000_016_666_7 + 9e9 * 0.000_015 + 1e9 * 0.000_013_334);
        let idle = prices.month(Use { calls: 0, ready: 2, memory_mb: 1_024, ..USED });
        close(idle.usd, 2.0 * 2_592_000.0 * 0.000_004_166_7);
        close(idle.usd_with_free, idle.usd);
        let large = prices.month(Use { tmp_mb: 10_240, ..USED });
        close(large.usd - prices.month(USED).usd, 360_000.0 * 9.5 * 0.000_000_030_9);
    }

    #[test]
    fn arm64_costs_a_fifth_less_for_work_and_the_same_for_calls() {
        let prices = LambdaPrices::read(None).unwrap();
        let bill = prices.month(Use { processor: Arm64, ..USED });
        close(bill.usd, 0.60 + 540_000.0 * 0.000_013_333_4);
        close(
            prices.arm64.work(20e9),
            7.5e9 * 0.000_013_333_4 + 11.25e9 * 0.000_012_000_1 + 1.25e9 * 0.000_010_666_7,
        );
        let ready = prices.month(Use { processor: Arm64, calls: 0, ready: 1, memory_mb: 1_024, ..USED });
        close(ready.usd, 2_592_000.0 * 0.000_003_333_4);
    }

    #[test]
    fn a_card_says_of_when_it_is_and_one_that_is_none_is_refused() {
        let card = LambdaPrices::read(None).unwrap();
        assert!(card.date.parse::<jiff::civil::Date>().is_ok() && card.source.len() > 20);
        assert!(
            LambdaPrices::read(Some("date = 1")).unwrap_err().message.contains("the card of prices is none")
        );
        let endless = AWS_LAMBDA.replace("price = 0.000013334", "up_to = 1\nprice = 0.000013334");
        assert!(LambdaPrices::read(Some(&endless)).unwrap_err().message.contains("without up_to"));
    }
}
