//! The command line.

use std::io::Write;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use clap::{Parser, Subcommand};
use queqiao_room::{AppId, Claims, Format, Role, RoomId, Scope, Uid, UnixSeconds};
use rand::Rng;

use crate::config::{Config, FileFlag, Flags, parse_duration};

/// Queqiao bridges RTMP (WeChat mini-programs, encoders) and WebRTC (browsers, native apps).
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  queqiao serve
      A server for this machine alone, with the app \"demo\", which needs no token.
      Open http://127.0.0.1:8080/ and publish, or use rtmp://127.0.0.1:1935/demo/ROOM/UID.
  queqiao serve --config queqiao.toml --http 0.0.0.0:8080 --rtmp 0.0.0.0:1935 \\
      --rtc 0.0.0.0:7800 --public-ip 203.0.113.7
      A server for everybody. The file names the apps.
  queqiao token --config queqiao.toml --app myapp --room r1 --uid alice --role host --ttl 1h
      A token with which alice may publish in room r1 for an hour.
  queqiao token --config queqiao.toml --app APP_ID --room r1 --uid 42 --role host --format agora-007
      The same for 42, as Agora's generators make it. The app has Agora's id, its secret is the certificate.
  queqiao load --rooms 10 --participants 8 --rtmp-publishers 1 --duration 1m --json report.json
      Ten rooms of nine who all send and eight who all receive, for a minute.

Every setting can also be an environment variable: QUEQIAO_HTTP, QUEQIAO_LIMITS__MAX_STREAMS, …
Flags go over variables, variables over the file.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    ///
    /// When every listener is ready, one line goes to standard output: ready http=ADDR rtmp=ADDR rtc=ADDR.
    /// Port 0 takes any free port. SIGTERM and SIGINT end the server within 5 seconds.
    Serve(Flags),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a token for a user of an app
    ///
    /// The app must be in the configuration; its first secret signs. Standard output gets the token and nothing else.
    Token(TokenArgs),
    /// Fill rooms of a server and measure how they are served
    ///
    /// Participants join by signalling, publish and receive by WebRTC and RTMP, and leave when the time is over. The
    /// report goes to standard output. The exit code is not zero if anybody failed. docs/load.md says how to read it.
    Load(queqiao_load::Options),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the server would start with this configuration
    Check(Flags),
    /// Print the whole configuration in TOML, with secrets left out
    Show(Flags),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// Id of the app, as in the configuration
    #[arg(long)]
    app: AppId,
    /// Room that the token opens
    #[arg(long)]
    room: RoomId,
    /// User who will bear it; in Agora's formats, 0 lets the bearer choose
    #[arg(long)]
    uid: Uid,
    /// host: publishes and plays; audience: plays
    #[arg(long, value_name = "host|audience")]
    role: Role,
    /// How long it holds, at most 365d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// Lets the bearer also mute, remove and ban others and close the room
    #[arg(long)]
    admin: bool,
    /// jwt is our own; docs/tokens.md says what the others need
    #[arg(long, value_name = "jwt|agora-006|agora-007|volcengine-001|zego-04", default_value_t = Format::Jwt)]
    format: Format,
    #[command(flatten)]
    file: FileFlag,
}

/// Reads the command line. Help, version and mistakes end the process.
pub(crate) fn parse() -> Cli {
    Cli::parse()
}

/// `queqiao config check`. The caller prints the error, if there is one.
pub(crate) fn run_config_check(flags: &Flags, out: &mut impl Write) -> Result<()> {
    let config = Config::load(flags)?;
    let apps = match config.apps.len() {
        0 => String::from("the app demo alone"),
        1 => String::from("1 app"),
        count => format!("{count} apps"),
    };
    let listen = &config.listen;
    writeln!(out, "ok: {apps}, http={} rtmp={} rtc={}", listen.http, listen.rtmp, listen.rtc)?;
    Ok(())
}

/// `queqiao config show`.
pub(crate) fn run_config_show(flags: &Flags, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", Config::load(flags)?.to_toml()?.trim_end())?;
    Ok(())
}

/// `queqiao load`. Says whether all went well.
pub(crate) fn run_load(options: &queqiao_load::Options, out: &mut impl Write) -> Result<bool> {
    Ok(queqiao_load::command(options, out)?)
}

/// `queqiao token`.
pub(crate) fn run_token(args: &TokenArgs, out: &mut impl Write) -> Result<()> {
    let config = Config::load(&Flags { file: args.file.clone(), ..Flags::default() })?;
    let token = make_token(&config, args, SystemTime::now().into(), rand::rng().random())?;
    writeln!(out, "{token}")?;
    Ok(())
}

fn make_token(config: &Config, args: &TokenArgs, now: UnixSeconds, random: [u8; 16]) -> Result<String> {
    let apps = config.apps()?;
    if apps.needs_no_token(&args.app) {
        return Err(anyhow!("the app {} needs no token", args.app));
    }
    let secret = apps.signing_secret(&args.app).with_context(|| {
        format!("there is no app {} in the configuration; give its file with --config", args.app)
    })?;
    let (app, room, uid) = (args.app.clone(), args.room.clone(), args.uid.clone());
    let mut claims = Claims::new(app, room, uid, args.role, now, args.ttl)?;
    claims.admin = args.admin;
    if matches!(args.format, Format::Agora006 | Format::Agora007) && args.uid.as_str() == "0" {
        claims.uid = Scope::Any;
    }
    Ok(queqiao_room::issue_as(args.format, secret, &claims, random)?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use queqiao_room::{Permission, StreamKey};

    use super::*;
    use crate::config::File;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const RANDOM: [u8; 16] = [3; 16];
    const CONFIG: &str = "[[apps]]\nid = \"live\"\nsecrets = [\"4f1c9a0b7de2583c61d0a8e3\"]\n";

    fn token_args(line: &str) -> TokenArgs {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Token(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn config() -> Config {
        Config::from_sources(Some(File { name: "q.toml", text: CONFIG }), [], &Flags::default()).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_addresses_and_several_public_addresses() {
        let line =
            "queqiao serve --http 127.0.0.1:0 --rtc [::1]:7 --public-ip 203.0.113.7 --public-ip 2001:db8::1";
        let Command::Serve(flags) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(flags.http, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!((flags.rtmp, flags.rtc), (None, Some("[::1]:7".parse().unwrap())));
        assert_eq!(flags.public_ip.len(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("queqiao serve --http here", "--http"),
            ("queqiao serve --htpp 1", "--htpp"),
            ("queqiao token --app live --room r1 --uid a/b --role host", "uid: the character '/'"),
            ("queqiao token --app live --room r1 --uid a --role king", "host"),
            ("queqiao token --app live --room r1 --uid a --role host --ttl 5", "not a duration"),
            ("queqiao token --app live --room r1 --uid a", "--role"),
            ("queqiao token --app live --room r1 --uid a --role host --format agora", "agora-006"),
        ] {
            let message = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(message.contains(named), "{line}: {message}");
        }
    }

    #[test]
    fn a_token_from_the_command_line_opens_the_stream() {
        let args = token_args("queqiao token --app live --room r1 --uid alice --role host --ttl 30m");
        let token = make_token(&config(), &args, NOW, RANDOM).unwrap();
        let stream: StreamKey = "live/r1/alice".parse().unwrap();
        let grant =
            config().apps().unwrap().authorize(Some(&token), &stream, Permission::Publish, NOW).unwrap();
        assert_eq!(grant.expires(), Some(UnixSeconds(NOW.0 + 1_800)));
    }

    #[test]
    fn a_token_from_the_command_line_has_any_format_that_the_app_is_made_for() {
        for (format, app, uid) in [
            ("jwt", "b1946ac92492d2347c6235b4d2611184", "42"),
            ("agora-006", "b1946ac92492d2347c6235b4d2611184", "0"),
            ("agora-007", "b1946ac92492d2347c6235b4d2611184", "0"),
            ("volcengine-001", "b1946ac92492d2347c6235b4", "42"),
            ("zego-04", "2913569222", "42"),
        ] {
            let text =
                format!("[[apps]]\nid = \"{app}\"\nsecrets = [\"591785b794601e212b260e25925636fd\"]\n");
            let config =
                Config::from_sources(Some(File { name: "q.toml", text: &text }), [], &Flags::default())
                    .unwrap();
            let line = format!(
                "queqiao token --app {app} --room r1 --uid {uid} --role host --ttl 30m --format {format}"
            );
            let token = make_token(&config, &token_args(&line), NOW, RANDOM).unwrap();
            let (app, room, uid) = (app.parse().unwrap(), "r1".parse().unwrap(), "42".parse().unwrap());
            let pass = config.apps().unwrap().admit(Some(&token), &app, &room, &uid, NOW).unwrap();
            assert_eq!(
                (pass.role(), pass.expires()),
                (Role::Host, Some(UnixSeconds(NOW.0 + 1_800))),
                "{format}"
            );
            let refusal = make_token(&config, &token_args(&format!("{line} --admin")), NOW, RANDOM);
            assert_eq!(refusal.is_ok(), format == "jwt");
        }
    }

    #[test]
    fn a_token_is_that_of_an_admin_if_it_is_asked_for() {
        let admin = |line| {
            let token = make_token(&config(), &token_args(line), NOW, RANDOM).unwrap();
            let (app, room, uid) = ("live".parse().unwrap(), "r1".parse().unwrap(), "alice".parse().unwrap());
            config().apps().unwrap().admit(Some(&token), &app, &room, &uid, NOW).unwrap().is_admin()
        };
        assert!(admin("queqiao token --app live --room r1 --uid alice --role audience --admin"));
        assert!(!admin("queqiao token --app live --room r1 --uid alice --role host"));
    }

    #[test]
    fn a_token_needs_a_configured_app_and_a_lifetime() {
        let refusal = |line| make_token(&config(), &token_args(line), NOW, RANDOM).unwrap_err().to_string();
        let other = refusal("queqiao token --app other --room r1 --uid a --role host");
        assert!(other.starts_with("there is no app other in the configuration"), "{other}");
        assert_eq!(
            refusal("queqiao token --app demo --room r1 --uid a --role host"),
            "the app demo needs no token"
        );
        assert_eq!(
            refusal("queqiao token --app live --room r1 --uid a --role host --ttl 0s"),
            "a token lives for 1 second to 365 days"
        );
    }
}
