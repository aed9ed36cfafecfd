//! Puts a load on a hop and measures what it costs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::check::Seen;
use super::cpu::Cpu;
use super::hops::{Hop, Kind};
use super::stand_in::{Script, StandIn};
use super::wire::{Body, Connection};

/// Longest time of one round: beyond it something hangs.
const MAX_ROUND: Duration = Duration::from_secs(300);

/// What one hop has to do in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many connections ask at once.
    pub streams: usize,
    /// How many answers each of them takes, one after the other.
    pub answers: usize,
    /// Deltas of one answer.
    pub deltas: usize,
    /// The time between two deltas.
    pub pace: Option<Duration>,
}

impl Load {
    pub(crate) fn total(&self) -> usize {
        self.streams * self.answers * self.deltas
    }
}

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Round {
    /// CPU time of the hop.
    pub cpu: Cpu,
    /// From the first question to the end of the last answer.
    pub wall: Duration,
    /// How many deltas went through.
    pub deltas: usize,
    /// In how many events they arrived.
    pub events: usize,
    /// Each answer's progress as its client saw it.
    pub answers: Vec<Seen>,
    /// From the writing of a delta to its arrival, where that was asked for; sorted.
    pub delays: Vec<Duration>,
}

impl Round {
    /// CPU time per delta, µs.
    pub(crate) fn cost(&self) -> f64 {
        micros(self.cpu.best()) / as_f64(self.deltas)
    }

    /// Deltas per second.
    pub(crate) fn speed(&self) -> f64 {
        as_f64(self.deltas) / self.wall.as_secs_f64()
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn as_f64(count: usize) -> f64 {
    // Counts here are far below 2^32.
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A hop with connections that are kept over the rounds.
pub(crate) struct Loader {
    pub hop: Hop,
    stand_in: StandIn,
    connections: Vec<Connection>,
    /// The next question's number.
    next: u64,
}

/// An answer before it is looked at.
struct Taken {
    body: Body,
    script: Script,
    id: u64,
}

impl Loader {
    pub(crate) fn new(hop: Hop, stand_in: StandIn) -> Self {
        Self { hop, stand_in, connections: Vec::new(), next: 1 }
    }

    /// One round. Fails if one byte is wrong.
    pub(crate) async fn round(&mut self, load: Load) -> Result<Round> {
        let kind = self.hop.kind;
        self.connections.retain(Connection::is_fresh);
        while self.connections.len() < load.streams {
            self.connections.push(Connection::open(self.hop.address).await?);
        }
        self.stand_in.answer(load.deltas);
        let (before, begun) = (self.hop.cpu()?, Instant::now());
        let mut running = JoinSet::new();
        for (number, connection) in self.connections.drain(..load.streams).enumerate() {
            let first = self.next;
            self.next += as_u64(load.answers);
            let start =
                load.pace.map_or(Duration::ZERO, |pace| pace.mul_f64(as_f64(number) / as_f64(load.streams)));
            running.spawn(stream(kind, connection, load, first, start));
        }
        let mut taken = Vec::new();
        while let Some(done) =
            timeout(MAX_ROUND, running.join_next()).await.context("a round takes too long")?
        {
            let (connection, answers) = done??;
            self.connections.push(connection);
            taken.extend(answers);
        }
        let wall = begun.elapsed();
        // What the hop still has to do after the last byte belongs to the round.
        sleep(Duration::from_millis(100)).await;
        let cpu = self.hop.cpu()? - before;
        let answers = self.check(taken).await.with_context(|| format!("{} got it wrong", kind.name()))?;
        let events = answers.iter().map(|(seen, _)| seen.events).sum();
        let mut delays: Vec<Duration> =
            answers.iter().flat_map(|(seen, ticket)| self.delays(seen, *ticket)).collect();
        delays.sort_unstable();
        let answers = answers.into_iter().map(|(seen, _)| seen).collect();
        Ok(Round { cpu, wall, deltas: load.total(), events, answers, delays })
    }

    async fn check(&self, taken: Vec<Taken>) -> Result<Vec<(Seen, Option<u64>)>> {
        let (kind, stand_in) = (self.hop.kind, self.stand_in.clone());
        let checking = move || {
            let check = |taken: Taken| {
                let seen = kind.check(&taken.body, &stand_in, taken.script, taken.id)?;
                Ok((seen, taken.script.pace.map(|(_, ticket)| ticket)))
            };
            taken.into_iter().map(check).collect::<Result<Vec<_>>>()
        };
        tokio::task::spawn_blocking(checking).await?
    }

    /// How long each delta of a paced answer was under way.
    fn delays(&self, seen: &Seen, ticket: Option<u64>) -> Vec<Duration> {
        let written = ticket.and_then(|ticket| self.stand_in.written(ticket)).unwrap_or_default();
        let mut arrivals = seen.progress.iter().peekable();
        let delay = |(number, written): (usize, Instant)| {
            while arrivals.next_if(|(deltas, _)| *deltas <= number).is_some() {}
            arrivals.peek().map(|(_, arrived)| arrived.saturating_duration_since(written))
        };
        written.into_iter().enumerate().map_while(delay).collect()
    }
}

async fn stream(
    kind: Kind,
    mut connection: Connection,
    load: Load,
    first: u64,
    start: Duration,
) -> Result<(Connection, Vec<Taken>)> {
    sleep(start).await;
    let mut answers = Vec::with_capacity(load.answers);
    for id in first..first + as_u64(load.answers) {
        let ticket = id * 2 + u64::from(kind == Kind::Nginx);
        let script = Script { deltas: load.deltas, pace: load.pace.map(|pace| (pace, ticket)) };
        let body = kind.ask(&mut connection, script, id).await?;
        answers.push(Taken { body, script, id });
    }
    Ok((connection, answers))
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Shared by the parts of the program.
pub(crate) type Loaders = (Loader, Loader);

/// A round on each, one after the other.
pub(crate) async fn both(loaders: &mut Loaders, load: Load) -> Result<(Round, Round)> {
    Ok((loaders.0.round(load).await?, loaders.1.round(load).await?))
}
