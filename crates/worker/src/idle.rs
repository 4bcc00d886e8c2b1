//! Idle processors. One that sleeps takes 10 to 100 microseconds to come back, and a call wakes four times; the kernel lets who may
//! say so have them wait awake (its documentation, "PM Quality Of Service Interface", from user space).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// What says how long a processor may take to come back; the file's value counts for as long as it is open.
const DEVICE: &str = "/dev/cpu_dma_latency";
/// Microseconds: none. It waits awake.
const AWAKE: i32 = 0;
/// As if nothing had been said.
const ANY: i32 = -1;

/// The idle processors of this machine.
#[derive(Debug)]
pub struct IdleProcessors(File);

impl IdleProcessors {
    /// Nothing is said yet. Fails where one may not: as a rule, only root may, and not within a container.
    pub fn open() -> io::Result<Self> {
        OpenOptions::new().write(true).open(DEVICE).map(Self)
    }

    /// Whether they wait awake, as far as we are concerned; takes some microseconds.
    pub fn keep_awake(&self, awake: bool) -> io::Result<()> {
        let latency_us = if awake { AWAKE } else { ANY };
        (&self.0).write_all(&latency_us.to_ne_bytes())
    }
}
