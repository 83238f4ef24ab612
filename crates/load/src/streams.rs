//! RTMP publishers and players as participants of a room.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_room::{Role, Uid};
use queqiao_rtmp::client::Event;
use tokio::time::sleep;

use crate::Error;
use crate::mark::Mark;
use crate::plan::{player_uid, rtmp_uid};
use crate::rtmp;
use crate::shared::{Outcome, Progress, Room, Shared};

/// How long a client may take to say goodbye: it does so with its next frame.
const GOODBYE: Duration = Duration::from_millis(500);

/// The address of the stream of `owner`, for `uid` to publish or play.
fn address(shared: &Shared, room: &Room, owner: &Uid, uid: &Uid, role: Role) -> Result<String, Error> {
    let plan = &room.plan;
    let query = plan.token(uid, role)?.map_or_else(String::new, |token| format!("?token={token}"));
    Ok(format!("rtmp://{}/{}/{}/{owner}{query}", shared.rtmp, plan.app, plan.room))
}

/// Runs the publisher with this number of its room until everybody is told to leave.
pub(crate) async fn publish(shared: Arc<Shared>, room: Arc<Room>, number: u32) -> Outcome {
    let publish = async {
        let uid = rtmp_uid(number)?;
        let url = address(&shared, &room, &uid, &uid, Role::Host)?;
        let mut begun = false;
        let sent = |_, _| {
            if !std::mem::replace(&mut begun, true) {
                Progress::count(&shared.progress.ready);
            }
            if shared.window.is_open() {
                shared.measures().rtmp_sent += 1;
            }
            !shared.stop.is_cancelled()
        };
        rtmp::publish(Arc::clone(&shared.media), url, number.into(), sent).await
    };
    finish(&shared, until_told(&shared, publish).await)
}

/// Runs the player with this number of its room until everybody is told to leave.
pub(crate) async fn play(shared: Arc<Shared>, room: Arc<Room>, number: u32) -> Outcome {
    let mut keyframe = false;
    let play = async {
        let owner = room.plan.played(number).ok_or(Error::TimedOut("no_stream_to_play"))?;
        let url = address(&shared, &room, owner, &player_uid(number)?, Role::Audience)?;
        let asked = Instant::now();
        rtmp::play(url, |now, event| {
            let frame = match &event {
                Event::Video { payload, .. } => payload,
                Event::Audio { payload, .. } => payload,
                _ => return true,
            };
            let open = shared.window.is_open();
            // The second byte of both tells media from headers.
            if open && frame.get(1) == Some(&1) {
                shared.measures().rtmp_received += 1;
            }
            if let (Event::Video { payload, .. }, Some(mark)) = (&event, Mark::find(frame)) {
                if !keyframe && payload.first().is_some_and(|kind| kind >> 4 == 1) {
                    keyframe = true;
                    Progress::count(&shared.progress.ready);
                    shared.measures().rtmp_first_keyframe.push(now.saturating_duration_since(asked));
                }
                if open {
                    shared.measures().rtmp_delay.push(shared.media.clock.age(mark, now));
                }
            }
            !shared.stop.is_cancelled()
        })
        .await
    };
    let ended = until_told(&shared, play).await;
    let mut outcome = finish(&shared, ended);
    if outcome.failures.is_empty() && !keyframe {
        outcome.fail("rtmp_no_keyframe", 1);
    }
    outcome
}

/// Runs a client that ends once everybody is told to leave. One that ends before has failed.
async fn until_told(shared: &Shared, client: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let told = async {
        shared.stop.cancelled().await;
        sleep(GOODBYE).await;
    };
    tokio::select! {
        biased;
        ended = client => if shared.stop.is_cancelled() { Ok(()) } else { ended.and(Err(Error::Closed("rtmp"))) },
        () = told => Ok(()),
    }
}

fn finish(shared: &Shared, ended: Result<(), Error>) -> Outcome {
    match ended {
        Ok(()) => Outcome::default(),
        Err(error) => {
            Progress::count(&shared.progress.failed);
            Outcome::failed(&error)
        }
    }
}
