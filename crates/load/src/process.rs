//! What the operating system knows of a process.

use std::fs;
use std::time::Duration;

use crate::Error;

/// The unit of processor time in `/proc` is a hundredth of a second, on every architecture (`USER_HZ`). The kernel counts
/// in nanoseconds and rounds down what it tells.
const TICK: Duration = Duration::from_millis(10);

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pid: u32,
}

impl Process {
    /// The process with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Process`] if there is none.
    pub fn new(pid: u32) -> Result<Self, Error> {
        let process = Self { pid };
        process.cpu()?;
        Ok(process)
    }

    /// This one.
    ///
    /// # Errors
    ///
    /// [`Error::Process`], never.
    pub fn own() -> Result<Self, Error> {
        Self::new(std::process::id())
    }

    /// The process of this machine that listens on a TCP port, as far as one may look into it.
    #[must_use]
    pub fn listening_on(port: u16) -> Option<Self> {
        let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .find_map(|table| listener(&fs::read_to_string(table).ok()?, port))?;
        let socket = format!("socket:[{inode}]");
        let pids = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let holds = |pid: &u32| {
            fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
                files
                    .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
                    .any(|link| link.as_os_str() == &*socket)
            })
        };
        Self::new(pids.into_iter().find(holds)?).ok()
    }

    /// Its id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Processor time used by all its threads so far.
    ///
    /// # Errors
    ///
    /// [`Error::Process`] when it is over.
    pub fn cpu(&self) -> Result<Duration, Error> {
        let gone = Error::Process("there is no such process");
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else { return Err(gone) };
        ticks(&stat).and_then(|ticks| TICK.checked_mul(ticks)).ok_or(gone)
    }

    /// Resident memory in KB.
    ///
    /// # Errors
    ///
    /// [`Error::Process`] when it is over.
    pub fn rss(&self) -> Result<f64, Error> {
        let over = Error::Process("its memory is not known");
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).ok_or(over)
    }
}

/// The inode of the socket that listens on `port`, in a table of `/proc/net`.
fn listener(table: &str, port: u16) -> Option<u64> {
    const LISTENS: &str = "0A";
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        (local.ends_with(&port) && state == LISTENS).then(|| inode.parse().ok())?
    })
}

/// User and system time in a line of `/proc/PID/stat`. The name of the program, in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    fields.next()?.parse::<u32>().ok()?.checked_add(fields.next()?.parse().ok()?)
}

/// How many files this process may open, if there is a limit.
pub(crate) fn file_limit() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_that_listens_is_found_among_others() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 111 1 0 20 4\n\
             1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4\n";
        assert_eq!(listener(table, 8080), Some(222));
        assert_eq!(listener(table, 8081), None);
    }

    #[test]
    fn processor_time_is_found_after_a_name_of_any_kind() {
        let stat = "7 (a) b (c) ) S 1 7 7 0 -1 4194560 100 0 0 0 120 30 5 5 20 0 4 0 99 1000 10";
        assert_eq!(ticks(stat), Some(150));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn a_process_finds_itself_by_its_port_and_knows_its_limits() {
        assert!(file_limit() > Some(2));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::listening_on(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(found.pid(), Process::own().unwrap().pid());
        assert!(found.rss().unwrap() > 0.0 && found.cpu().is_ok());
    }
}
