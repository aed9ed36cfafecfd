//! Token usage with its made-up prices: counts of words and times come in, Dify's `usage` objects go out.

use serde::Serialize;

use super::wire::{Object, object};

/// Token usage of one answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Usage {
    prompt_tokens: usize,
    prompt_unit_price: &'static str,
    prompt_price_unit: &'static str,
    prompt_price: String,
    completion_tokens: usize,
    completion_unit_price: &'static str,
    completion_price_unit: &'static str,
    completion_price: String,
    total_tokens: usize,
    total_price: String,
    currency: &'static str,
    latency: f64,
    time_to_first_token: Option<f64>,
    time_to_generate: Option<f64>,
}

impl Usage {
    /// What a complete answer used; times in seconds.
    pub(super) fn complete(prompt: usize, completion: usize, first_token: f64, latency: f64) -> Self {
        let prompt_micros = prompt;
        let completion_micros = completion.saturating_mul(2);
        Self {
            prompt_tokens: prompt,
            prompt_price: price(prompt_micros),
            completion_tokens: completion,
            completion_price: price(completion_micros),
            total_tokens: prompt.saturating_add(completion),
            total_price: price(prompt_micros.saturating_add(completion_micros)),
            time_to_first_token: Some(first_token),
            time_to_generate: Some(latency - first_token),
            ..Self::stopped(latency)
        }
    }

    /// What Dify says of a stopped answer: nothing was used.
    pub(super) fn stopped(latency: f64) -> Self {
        Self {
            prompt_tokens: 0,
            prompt_unit_price: "0.001",
            prompt_price_unit: "0.001",
            prompt_price: "0E-7".to_owned(),
            completion_tokens: 0,
            completion_unit_price: "0.002",
            completion_price_unit: "0.001",
            completion_price: "0E-7".to_owned(),
            total_tokens: 0,
            total_price: "0E-7".to_owned(),
            currency: "USD",
            latency,
            time_to_first_token: None,
            time_to_generate: None,
        }
    }

    /// What Dify says of an app that asked no model; times in seconds.
    pub(super) fn no_model(first_token: f64, generating: f64) -> Self {
        Self {
            prompt_unit_price: "0.0",
            prompt_price_unit: "0.0",
            prompt_price: "0.0".to_owned(),
            completion_unit_price: "0.0",
            completion_price_unit: "0.0",
            completion_price: "0.0".to_owned(),
            total_price: "0.0".to_owned(),
            time_to_first_token: Some(first_token),
            time_to_generate: Some(generating),
            ..Self::stopped(0.0)
        }
    }

    /// The `execution_metadata` of the model's node.
    pub(super) fn node_metadata(&self) -> Object {
        object! {"total_tokens": self.total_tokens, "total_price": self.total_price, "currency": self.currency}
    }

    /// Tokens in all.
    pub(super) fn total_tokens(&self) -> usize {
        self.total_tokens
    }
}

/// The `metadata` of an answer with this usage and nothing else.
pub(super) fn metadata(usage: Option<&Usage>) -> Object {
    object! {"annotation_reply": (), "retriever_resources": [(); 0], "usage": usage}
}

/// Millionths of a dollar with the seven digits that Dify prints.
fn price(micros: usize) -> String {
    format!("{}.{:06}0", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_sums_of_words() {
        let usage = Usage::complete(13, 5, 0.05, 0.25);
        assert_eq!(
            metadata(Some(&usage)).text(),
            r#"{"annotation_reply":null,"retriever_resources":[],"usage":{"prompt_tokens":13,"prompt_unit_price":"0.001","prompt_price_unit":"0.001","prompt_price":"0.0000130","completion_tokens":5,"completion_unit_price":"0.002","completion_price_unit":"0.001","completion_price":"0.0000100","total_tokens":18,"total_price":"0.0000230","currency":"USD","latency":0.25,"time_to_first_token":0.05,"time_to_generate":0.2}}"#
        );
        assert_eq!(
            usage.node_metadata().text(),
            r#"{"total_tokens":18,"total_price":"0.0000230","currency":"USD"}"#
        );
        assert_eq!(price(1_500_000), "1.5000000");
    }
}
