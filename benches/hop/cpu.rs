//! The CPU time that processes have used, as the kernel counts it.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel's tick in `/proc/PID/stat`: 100 a second on every Linux platform of Rust's tier 1.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of some processes, all their threads, user and system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// By the scheduler's count (`/proc/PID/task/*/schedstat`), nanoseconds. Threads that ended are not in it.
    pub fine: Duration,
    /// By `/proc/PID/stat`, in ticks of 10 ms. Threads that ended are in it.
    pub coarse: Duration,
}

impl Cpu {
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            for task in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
                // A thread may end between the listing and the look.
                let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
                let nanoseconds = stat.split_ascii_whitespace().next().unwrap_or("0").parse()?;
                sum.fine += Duration::from_nanos(nanoseconds);
            }
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // The name, in brackets, may hold anything; utime and stime are fields 14 and 15 of the whole.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_ascii_whitespace().collect();
            for place in [11, 12] {
                let ticks: u32 = fields.get(place).context("no such field")?.parse()?;
                sum.coarse += TICK * ticks;
            }
        }
        Ok(sum)
    }

    /// The better of the two: ticks where the scheduler does not tell.
    pub(crate) fn best(self) -> Duration {
        if self.fine.is_zero() { self.coarse } else { self.fine }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            fine: self.fine.saturating_sub(earlier.fine),
            coarse: self.coarse.saturating_sub(earlier.coarse),
        }
    }
}

/// The most memory that the processes have had at once, each by itself, MiB.
pub(crate) fn peak_memory(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(of).sum::<u64>() / 1024
}

/// The processes that `pid` has started and that still run.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
