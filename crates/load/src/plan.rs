//! Who is in a room, and who receives whom.

use std::time::{Duration, SystemTime};

use queqiao_room::{AppId, Claims, Role, RoomId, Secret, Uid, UnixSeconds};

use crate::Error;
use crate::options::{MAX_SUBSCRIPTIONS, Options, Subscribe};

/// How long tokens hold.
const TOKEN_TTL: Duration = Duration::from_secs(86_400);

/// One room of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) app: AppId,
    pub(crate) room: RoomId,
    secret: Option<Secret>,
    /// Who publishes: WebRTC first, then RTMP.
    streams: Vec<Uid>,
    subscribe: Subscribe,
    receives: bool,
}

impl Plan {
    /// The room with this number, from 1.
    pub(crate) fn new(options: &Options, name: &RoomId, number: u32) -> Result<Self, Error> {
        let web = (0..options.web_publishers()).map(web_uid);
        let rtmp = (0..options.rtmp_publishers).map(rtmp_uid);
        Ok(Self {
            app: options.app.clone(),
            room: format!("{name}-{number}").parse()?,
            secret: options.secret.clone(),
            streams: web.chain(rtmp).collect::<Result<_, _>>()?,
            subscribe: options.subscribe,
            receives: !options.no_media,
        })
    }

    /// Whose streams the WebRTC participant with this number receives: those that follow it, in a circle, so that every
    /// stream has as many receivers as any other.
    pub(crate) fn wanted(&self, number: u32) -> Vec<Uid> {
        let count = match self.subscribe {
            _ if !self.receives => 0,
            Subscribe::All => MAX_SUBSCRIPTIONS,
            Subscribe::Some(count) => usize::try_from(count).unwrap_or(usize::MAX).min(MAX_SUBSCRIPTIONS),
        };
        let own = web_uid(number).ok();
        let after = usize::try_from(number).unwrap_or(0) + 1;
        let circle = self.streams.iter().cycle().skip(after % self.streams.len().max(1));
        let others = circle.take(self.streams.len()).filter(|uid| Some(*uid) != own.as_ref());
        others.take(count).cloned().collect()
    }

    /// Whose stream the RTMP player with this number plays.
    pub(crate) fn played(&self, number: u32) -> Option<&Uid> {
        self.streams.iter().cycle().nth(usize::try_from(number).unwrap_or(0) % self.streams.len().max(1))
    }

    /// A token for a participant, if the app needs one.
    pub(crate) fn token(&self, uid: &Uid, role: Role) -> Result<Option<String>, Error> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let now = UnixSeconds::from(SystemTime::now());
        let claims = Claims::new(self.app.clone(), self.room.clone(), uid.clone(), role, now, TOKEN_TTL)?;
        Ok(Some(queqiao_room::issue(secret, &claims)?))
    }
}

/// The WebRTC participant with this number of its room.
pub(crate) fn web_uid(number: u32) -> Result<Uid, Error> {
    Ok(format!("web-{number}").parse()?)
}

/// The RTMP publisher with this number of its room.
pub(crate) fn rtmp_uid(number: u32) -> Result<Uid, Error> {
    Ok(format!("rtmp-{number}").parse()?)
}

/// The RTMP player with this number of its room.
pub(crate) fn player_uid(number: u32) -> Result<Uid, Error> {
    Ok(format!("player-{number}").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(publishers: u32, rtmp: u32, subscribe: Subscribe) -> Plan {
        let streams = (0..publishers).map(web_uid).chain((0..rtmp).map(rtmp_uid));
        Plan {
            app: "demo".parse().unwrap(),
            room: "r-1".parse().unwrap(),
            secret: None,
            streams: streams.collect::<Result<_, _>>().unwrap(),
            subscribe,
            receives: true,
        }
    }

    fn wanted(plan: &Plan, number: u32) -> String {
        plan.wanted(number).iter().map(|uid| format!("{uid} ")).collect()
    }

    #[test]
    fn everybody_receives_all_others_and_not_itself() {
        let plan = plan(3, 1, Subscribe::All);
        assert_eq!(wanted(&plan, 0), "web-1 web-2 rtmp-0 ");
        assert_eq!(wanted(&plan, 2), "rtmp-0 web-0 web-1 ");
        assert_eq!(wanted(&plan, 7), "web-0 web-1 web-2 rtmp-0 ", "one who only receives");
    }

    #[test]
    fn each_stream_has_as_many_receivers_as_the_others() {
        let plan = plan(5, 0, Subscribe::Some(2));
        let all: Vec<_> = (0..5).flat_map(|number| plan.wanted(number)).collect();
        for stream in &plan.streams {
            assert_eq!(all.iter().filter(|uid| *uid == stream).count(), 2, "{stream}");
        }
    }

    #[test]
    fn nobody_wants_more_than_the_server_allows_or_than_there_is() {
        assert_eq!(plan(100, 0, Subscribe::All).wanted(3).len(), MAX_SUBSCRIPTIONS);
        assert!(plan(0, 0, Subscribe::All).wanted(3).is_empty());
        assert_eq!(plan(0, 0, Subscribe::All).played(3), None);
        assert_eq!(plan(2, 1, Subscribe::All).played(5).unwrap().as_str(), "rtmp-0");
    }
}
