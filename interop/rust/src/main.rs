//! Judges the gateway with the official Rust client of A2A 1.0, used as its users do.

mod answer;
mod approval;
mod core;
mod judge;
mod recordings;
mod shown;
mod workflow;

use judge::Suite;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let suite = Suite::from_arguments()?;
    let mut failed = 0;
    if suite.core {
        failed += core::run(&suite).await;
    }
    failed += approval::run(&suite).await;
    failed += workflow::run(&suite).await;
    failed += recordings::run(&suite).await;
    std::process::exit(if failed == 0 { 0 } else { 1 })
}
