//! A bad network, made to order: what one direction of a path does to the packets or bytes that are put on it.
//!
//! The crate is pure. Time comes in as an argument, chance comes from a seed, and packets come out when they are due; the
//! program beside it (`main.rs`) puts it between real sockets. The same seed and the same packets meet the same fate.
//!
//! ```
//! use std::time::Duration;
//! use queqiao_link::{Conditions, Discipline, Path};
//!
//! let conditions = Conditions { delay_ms: 50.0, loss: 0.05, ..Conditions::default() };
//! let mut path = Path::new(Discipline::Drop, 1, conditions)?;
//! path.send(Duration::ZERO, 1200, "a packet");
//! assert_eq!(path.receive(Duration::from_millis(49)), None);
//! assert_eq!(path.receive(Duration::from_millis(50)), Some("a packet"));
//! # Ok::<(), queqiao_link::Error>(())
//! ```

mod conditions;
mod path;
mod random;

pub use conditions::{Burst, Conditions, Error, Spike};
pub use path::{Counters, Discipline, Path};
