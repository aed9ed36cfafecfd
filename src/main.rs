//! The `dify-a2a` program: reads the arguments, builds the runtime, runs the command, tells the exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dify_a2a::cli::{self, Cli};

/// How long threads that wait for the terminal may hold up the end.
const LAST_WAIT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(cli).unwrap_or_else(|error| {
        report(&error);
        cli::exit_code(&error)
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(cli.run(&mut std::io::stdout()));
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

#[expect(clippy::print_stderr, reason = "the last word of the program, when there may be no log")]
fn report(error: &anyhow::Error) {
    eprintln!("dify-a2a: {error:#}");
}
