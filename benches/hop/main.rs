//! What the gateway costs beside nginx as a plain pass-through hop, in one run in which the two take turns.
//!
//! ```text
//!   load generator --chat message--> nginx   --> stand-in for Dify
//!   load generator --A2A message---> gateway --> stand-in for Dify
//! ```
//!
//! The hops are processes, whose CPU time the kernel counts; everything else is this program. Every byte that comes
//! through is checked, after the clock has stopped. Wrong bytes end the run with an error; slow ones never do.
//! `docs/benchmarks.md` tells how to read the numbers. The environment makes shorter runs:
//!
//! | variable | default | |
//! | --- | --- | --- |
//! | `BENCH_PARTS` | `burst,paced,tenths,lengths` | which parts to run |
//! | `BENCH_ROUNDS` | 7 | rounds of each hop in `burst`; `paced` takes 5 at most |
//! | `BENCH_STREAMS`, `BENCH_ANSWERS`, `BENCH_DELTAS` | 16, 25, 2000 | a round of `burst`: connections, answers on each, deltas of each |
//! | `BENCH_PACED_STREAMS`, `BENCH_PACED_RATE`, `BENCH_PACED_SECONDS` | 100, 50, 10 | a round of `paced` |
//! | `BENCH_LONG`, `BENCH_LONG_REPEATS` | 50000, 21 | the answer of `tenths`, and how often |
//! | `BENCH_GATEWAY` | this build's | the binary to measure |
#![expect(clippy::print_stdout, reason = "a benchmark is a program that prints")]

mod check;
mod cpu;
mod hops;
mod load;
mod stand_in;
mod table;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use check::Seen;
use hops::Hop;
use load::{Load, Loader, Loaders, Round, as_f64, both, micros};
use stand_in::{MAX_DELTAS, StandIn, WORD, message_bytes};
use table::{Spread, thousands, verdict};

/// Highest ratio of CPU time per delta, gateway to nginx, that we aim at when answers come as fast as they can.
const BURST_TARGET: f64 = 15.0;

/// The same when they come at the pace of a model.
const PACED_TARGET: f64 = 3.0;

/// How much slower than the first tenth of a long answer the last may be.
const TENTHS_TARGET: f64 = 1.10;

/// A round of each hop.
type Pair = (Round, Round);

/// The hops' names, and which of a pair is whose.
const SIDES: [(&str, Side); 2] = [("nginx", |pair| &pair.0), ("gateway", |pair| &pair.1)];

type Side = fn(&Pair) -> &Round;

struct Options {
    parts: String,
    rounds: usize,
    burst: Load,
    paced: Load,
    long: usize,
    repeats: usize,
    gateway: PathBuf,
}

impl Options {
    fn read() -> Result<Self> {
        let rate: usize = option("BENCH_PACED_RATE", 50)?;
        let seconds: usize = option("BENCH_PACED_SECONDS", 10)?;
        let options = Self {
            parts: option("BENCH_PARTS", "burst,paced,tenths,lengths".to_owned())?,
            rounds: option("BENCH_ROUNDS", 7)?,
            burst: Load {
                streams: option("BENCH_STREAMS", 16)?,
                answers: option("BENCH_ANSWERS", 25)?,
                deltas: option("BENCH_DELTAS", 2000)?,
                pace: None,
            },
            paced: Load {
                streams: option("BENCH_PACED_STREAMS", 100)?,
                answers: 1,
                deltas: rate.saturating_mul(seconds),
                pace: Some(Duration::from_secs(1).div_f64(as_f64(rate.max(1)))),
            },
            long: option("BENCH_LONG", 50_000)?,
            repeats: option("BENCH_LONG_REPEATS", 21)?,
            gateway: option("BENCH_GATEWAY", PathBuf::from(env!("CARGO_BIN_EXE_dify-a2a")))?,
        };
        let lengths = [options.burst.deltas, options.paced.deltas, options.long];
        ensure!(
            lengths.iter().all(|deltas| (10..=MAX_DELTAS).contains(deltas)),
            "answers have 10 to {MAX_DELTAS} deltas"
        );
        for (name, value) in [
            ("BENCH_ROUNDS", options.rounds),
            ("BENCH_STREAMS", options.burst.streams),
            ("BENCH_ANSWERS", options.burst.answers),
            ("BENCH_PACED_STREAMS", options.paced.streams),
            ("BENCH_LONG_REPEATS", options.repeats),
        ] {
            ensure!((1..=1000).contains(&value), "{name} is 1 to 1000");
        }
        Ok(options)
    }

    fn has(&self, part: &str) -> bool {
        self.parts.split(',').any(|given| given.trim() == part)
    }
}

fn option<T: FromStr>(name: &str, default: T) -> Result<T> {
    let Ok(given) = std::env::var(name) else { return Ok(default) };
    let Ok(value) = given.parse() else { bail!("{name} cannot be {given}") };
    Ok(value)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    if std::env::args().any(|argument| argument == "--test") {
        // `cargo test --benches` only asks whether it starts.
        return Ok(());
    }
    let options = Options::read()?;
    let dir = tempfile::tempdir()?;
    let stand_in = StandIn::start().await?;
    let nginx = Hop::nginx(&stand_in, dir.path()).await?;
    let gateway = Hop::gateway(&stand_in, dir.path(), &options.gateway).await?;
    println!(
        "cores: {}, load: {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        load_average()
    );
    println!("stand-in {}, nginx {}, gateway {}", stand_in.address, nginx.address, gateway.address);
    println!("gateway: {} (pid {}), with its defaults", options.gateway.display(), gateway.pid());
    println!("one delta: {WORD} bytes of text in an event of {} bytes, one HTTP chunk", message_bytes());
    let mut loaders = (Loader::new(nginx, stand_in.clone()), Loader::new(gateway, stand_in));

    let warm_up = Load { answers: 2, ..options.burst };
    both(&mut loaders, warm_up).await?;
    if options.has("burst") {
        burst(&mut loaders, &options).await?;
    }
    if options.has("paced") {
        paced(&mut loaders, &options).await?;
    }
    if options.has("tenths") {
        tenths(&mut loaders, &options).await?;
    }
    if options.has("lengths") {
        lengths(&mut loaders, &options).await?;
    }
    let (nginx, gateway) = (cpu::peak_memory(&loaders.0.hop.pids), cpu::peak_memory(&loaders.1.hop.pids));
    println!("\npeak memory: nginx {nginx} MiB, gateway {gateway} MiB; load now: {}", load_average());
    println!("every byte was right");
    Ok(())
}

/// How busy the machine is, by the kernel's word: over one, five and fifteen minutes.
fn load_average() -> String {
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

async fn burst(loaders: &mut Loaders, options: &Options) -> Result<()> {
    let load = options.burst;
    println!(
        "\nBURST: {} connections, {} answers of {} deltas on each, unpaced; {} deltas a round",
        load.streams,
        load.answers,
        thousands(load.deltas),
        thousands(load.total()),
    );
    let rounds = take_turns(loaders, load, options.rounds).await?;
    costs(&rounds, BURST_TARGET);
    Ok(())
}

async fn paced(loaders: &mut Loaders, options: &Options) -> Result<()> {
    let load = options.paced;
    println!(
        "\nPACED: {} connections, one answer of {} deltas on each, a delta every {} ms; {} deltas a round",
        load.streams,
        thousands(load.deltas),
        load.pace.unwrap_or_default().as_secs_f64() * 1e3,
        thousands(load.total()),
    );
    let rounds = take_turns(loaders, load, options.rounds.min(5)).await?;
    costs(&rounds, PACED_TARGET);
    println!("  a delta's way, from the stand-in's write to the client's read, ms over all rounds:");
    for (name, side) in SIDES {
        let delays = delays(&rounds, side);
        let at = |share: f64| table::quantile(&delays, share).as_secs_f64() * 1e3;
        println!("    {name:<8} median {:.3}   99% {:.3}   worst {:.3}", at(0.5), at(0.99), at(1.0));
    }
    Ok(())
}

fn delays(rounds: &[Pair], side: Side) -> Vec<Duration> {
    let mut delays: Vec<Duration> =
        rounds.iter().flat_map(|round| side(round).delays.iter().copied()).collect();
    delays.sort_unstable();
    delays
}

/// Rounds of nginx and the gateway in turn.
async fn take_turns(loaders: &mut Loaders, load: Load, rounds: usize) -> Result<Vec<Pair>> {
    let mut done = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        done.push(both(loaders, load).await?);
    }
    Ok(done)
}

fn costs(rounds: &[Pair], target: f64) {
    println!(
        "  CPU µs per delta       min   median      max   CPU s a round (in ticks)   deltas/s   deltas/event"
    );
    for (name, side) in SIDES {
        let cost = Spread::of(rounds.iter().map(|round| side(round).cost()));
        let fine = Spread::of(rounds.iter().map(|round| side(round).cpu.best().as_secs_f64()));
        let coarse = Spread::of(rounds.iter().map(|round| side(round).cpu.coarse.as_secs_f64()));
        let speed = Spread::of(rounds.iter().map(|round| side(round).speed()));
        let joined =
            Spread::of(rounds.iter().map(|round| as_f64(side(round).deltas) / as_f64(side(round).events)));
        println!(
            "    {name:<16} {:>8.3} {:>8.3} {:>8.3}   {:>13.3} ({:>8.2}) {:>10.0} {:>14.2}",
            cost.min, cost.median, cost.max, fine.median, coarse.median, speed.median, joined.median
        );
    }
    let ratio = Spread::of(rounds.iter().map(|(nginx, gateway)| gateway.cost() / nginx.cost()));
    println!(
        "    {:<16} {:>8.2} {:>8.2} {:>8.2}   over {} rounds; target at most {target}: {}",
        "ratio",
        ratio.min,
        ratio.median,
        ratio.max,
        rounds.len(),
        verdict(ratio.median <= target)
    );
}

/// Does a long answer get slower towards its end?
async fn tenths(loaders: &mut Loaders, options: &Options) -> Result<()> {
    let load = Load { streams: 1, answers: 1, deltas: options.long, pace: None };
    println!(
        "\nTENTHS: one answer of {} deltas, unpaced, {} times; µs per delta as the client sees it, median",
        thousands(load.deltas),
        options.repeats
    );
    both(loaders, load).await?;
    let rounds = take_turns(loaders, load, options.repeats).await?;
    print!("  tenth           ");
    (1..=10).for_each(|tenth| print!("{tenth:>8}"));
    println!("   last/first: min  median  max");
    for (name, side) in SIDES {
        let times: Vec<[f64; 10]> = rounds
            .iter()
            .flat_map(|round| &side(round).answers)
            .map(|seen| pace_of_tenths(seen, load.deltas))
            .collect();
        print!("    {name:<14}");
        for tenth in 0..10 {
            print!("{:>8.3}", Spread::of(times.iter().filter_map(|times| times.get(tenth).copied())).median);
        }
        let ratio = Spread::of(times.iter().map(|times| last(times) / first(times)));
        print!("          {:>6.2} {:>7.2} {:>5.2}", ratio.min, ratio.median, ratio.max);
        match name {
            "gateway" => {
                println!("   target at most {TENTHS_TARGET}: {}", verdict(ratio.median <= TENTHS_TARGET))
            }
            _ => println!(),
        }
    }
    Ok(())
}

/// Time per delta of each tenth of an answer, µs. Events may hold many deltas, so that a tenth is measured from the
/// event that passed its beginning to the event that passed its end, over what came between.
fn pace_of_tenths(seen: &Seen, deltas: usize) -> [f64; 10] {
    let Some(start) = seen.progress.first().copied() else { return [f64::NAN; 10] };
    let mut from = start;
    std::array::from_fn(|tenth| {
        let end = deltas * (tenth + 1) / 10;
        let to = seen.progress.iter().find(|(came, _)| *came >= end).copied().unwrap_or(from);
        let pace = micros(to.1 - from.1) / as_f64(to.0 - from.0);
        from = to;
        pace
    })
}

fn first(times: &[f64; 10]) -> f64 {
    times.first().copied().unwrap_or(f64::NAN)
}

fn last(times: &[f64; 10]) -> f64 {
    times.last().copied().unwrap_or(f64::NAN)
}

/// Does a delta of a long answer cost more than one of a short answer?
async fn lengths(loaders: &mut Loaders, options: &Options) -> Result<()> {
    const DELTAS: usize = 200_000;
    const REPEATS: usize = 5;
    let lengths = [20, 200, 2000, options.long];
    println!(
        "\nLENGTHS: CPU µs per delta by the length of answers, 2 connections, unpaced, {REPEATS} rounds in turn"
    );
    let mut rounds: Vec<Vec<Pair>> = lengths.iter().map(|_| Vec::new()).collect();
    for _ in 0..REPEATS {
        for (deltas, rounds) in lengths.iter().zip(&mut rounds) {
            let answers = (DELTAS / 2).div_ceil(*deltas).min(1000);
            rounds.push(both(loaders, Load { streams: 2, answers, deltas: *deltas, pace: None }).await?);
        }
    }
    println!("  deltas of an answer   nginx median   gateway min  median     max   ratio");
    for (deltas, rounds) in lengths.iter().zip(&rounds) {
        let nginx = Spread::of(rounds.iter().map(|round| round.0.cost()));
        let gateway = Spread::of(rounds.iter().map(|round| round.1.cost()));
        let ratio = Spread::of(rounds.iter().map(|(nginx, gateway)| gateway.cost() / nginx.cost()));
        println!(
            "    {:>17} {:>14.3} {:>13.3} {:>7.3} {:>7.3} {:>7.2}",
            thousands(*deltas),
            nginx.median,
            gateway.min,
            gateway.median,
            gateway.max,
            ratio.median
        );
    }
    let cost = |rounds: Option<&Vec<Pair>>| {
        let rounds = rounds.context("no rounds")?;
        anyhow::Ok(Spread::of(rounds.iter().map(|round| round.1.cost())).median)
    };
    let (short, long) = (cost(rounds.first())?, cost(rounds.last())?);
    println!(
        "    what a turn costs the gateway beside its deltas: about {:.0} µs of CPU",
        (short - long) * 20.0
    );
    Ok(())
}
