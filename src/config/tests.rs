use std::time::Duration;

use super::*;

const SECRET: &str = "4f1c9a0b7de2583c61d0a8e3";
const APP: &str = "[[apps]]\nid = \"live\"\nsecrets = [\"4f1c9a0b7de2583c61d0a8e3\"]\n";

fn read(text: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_sources(Some(File { name: "q.toml", text }), variables, flags)
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    read(text, &[], &Flags::default())
}

fn from_variable(name: &str, value: &str) -> Result<Config, ConfigError> {
    read("", &[(name, value)], &Flags::default())
}

fn refusal(result: Result<Config, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

fn public() -> Flags {
    Flags { rtmp: Some("0.0.0.0:1935".parse().unwrap()), ..Flags::default() }
}

#[test]
fn without_any_source_the_server_is_on_loopback_with_the_demo_app() {
    let config = Config::from_sources(None, [], &Flags::default()).unwrap();
    assert_eq!(config.listen.http, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.listen.rtmp, "127.0.0.1:1935".parse().unwrap());
    assert_eq!(config.listen.rtc, "127.0.0.1:7800".parse().unwrap());
    assert_eq!(config.limits.play_wait, Duration::from_secs(30));
    assert!(config.rtc.public_ip.is_empty());
    assert!(matches!(config.apps().unwrap().demo(), Demo::Present(_)));
}

#[test]
fn flags_go_over_variables_and_variables_over_the_file() {
    let text = "listen = { http = \"127.0.0.1:1\", rtmp = \"127.0.0.1:2\", rtc = \"127.0.0.1:3\" }";
    let variables = [("QUEQIAO_RTMP", "127.0.0.1:20"), ("QUEQIAO_LISTEN__RTC", "127.0.0.1:30")];
    let flags = Flags { rtc: Some("127.0.0.1:300".parse().unwrap()), ..Flags::default() };
    let listen = read(text, &variables, &flags).unwrap().listen;
    assert_eq!([listen.http, listen.rtmp, listen.rtc].map(|address| address.port()), [1, 20, 300]);
}

#[test]
fn a_variable_reaches_every_kind_of_key() {
    let variables = [
        ("QUEQIAO_LIMITS__MAX_STREAMS", "7"),
        ("QUEQIAO_LIMITS__IDLE_TIMEOUT", "1m30s"),
        ("QUEQIAO_GOP__MAX_BYTES", "64KB"),
        ("QUEQIAO_PUBLIC_IP", "203.0.113.7, 2001:db8::7"),
        ("QUEQIAO_HTTP__CORS_ALLOW_ORIGIN", "https://example.com"),
        ("QUEQIAO_DEMO", "false"),
        ("QUEQIAO_LOG", "debug"),
        ("QUEQIAO_APPS", "[{ id = 'live', secrets = ['4f1c9a0b7de2583c61d0a8e3'] }]"),
        ("QUEQIAO_CONFIG", "ignored.toml"),
        ("PATH", "/bin"),
    ];
    let config = read("", &variables, &Flags::default()).unwrap();
    assert_eq!(config.limits.max_streams, 7);
    assert_eq!(config.limits.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.gop.max_bytes, 64_000);
    assert_eq!(config.rtc.public_ip.len(), 2);
    assert_eq!(config.http.cors_allow_origin, ["https://example.com"]);
    assert_eq!((config.demo, config.log.as_str()), (Some(false), "debug"));
    assert_eq!(config.apps[0].id.as_str(), "live");
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = read("log = \"warn\"", &[("QUEQIAO_LOG", "")], &Flags::default()).unwrap();
    assert_eq!(config.log, "warn");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let message = refusal(from_file("log = \"info\"\n\n[limits]\nmax_streams = 5\nmax_stream = 6\n"));
    assert!(message.starts_with("q.toml, line 5: unknown key `max_stream`, expected one of"), "{message}");
    let message = refusal(from_file("\n[limit]\n"));
    assert!(message.starts_with("q.toml, line 2: unknown key `limit`"), "{message}");
}

#[test]
fn an_unknown_variable_is_named() {
    for name in ["QUEQIAO_HTPP", "QUEQIAO_LIMITS__MAX_STREAM", "QUEQIAO_", "QUEQIAO_LIMITS__"] {
        let message = refusal(from_variable(name, "1"));
        assert!(message.starts_with(&format!("environment variable {name}: unknown key")), "{message}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_place() {
    let message = refusal(from_file("[limits]\nmax_streams = \"many\"\n"));
    assert_eq!(message, "q.toml, line 2: invalid type: string, expected usize");
    let message = refusal(from_file("[limits]\nplay_wait = 30\n"));
    assert!(message.ends_with("expected a duration with its unit, such as \"5s\""), "{message}");
    let message = refusal(from_variable("QUEQIAO_PUBLIC_IP", "nowhere"));
    assert_eq!(message, "environment variable QUEQIAO_PUBLIC_IP: invalid IP address syntax");
    let message = refusal(from_variable("QUEQIAO_LOG__LEVEL", "info"));
    assert!(message.starts_with("environment variable QUEQIAO_LOG__LEVEL: invalid type"), "{message}");
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let message = refusal(from_file("log = \"info\"\nlisten = {\n"));
    assert!(message.starts_with("q.toml, line 2: ") || message.starts_with("q.toml, line 3: "), "{message}");
}

#[test]
fn a_value_out_of_range_is_named() {
    for (text, expected) in [
        ("[limits]\nmax_streams = 0", "limits.max_streams: 0 is not between 1 and 100000"),
        (
            "[limits]\nhandshake_timeout = \"1h\"",
            "limits.handshake_timeout: 3600s is not between 100ms and 300s",
        ),
        ("[transcode]\nopus_complexity = 11", "transcode.opus_complexity: 11 is not between 0 and 10"),
        ("[rtc]\npublic_ip = [\"0.0.0.0\"]", "rtc.public_ip: 0.0.0.0 is not the address of a machine"),
    ] {
        assert_eq!(refusal(from_file(text)), expected);
    }
    let message = refusal(from_file("[http]\ncors_allow_origin = [\"https://example.com/\"]"));
    assert!(
        message.starts_with("http.cors_allow_origin: \"https://example.com/\" is not an origin"),
        "{message}"
    );
}

#[test]
fn a_public_server_without_apps_is_refused_with_the_way_out() {
    let message = refusal(read("", &[], &public()));
    assert!(message.contains("listen.rtmp = 0.0.0.0:1935 can be reached from other machines"), "{message}");
    assert!(message.contains("[[apps]]") && message.contains("queqiao token --config"), "{message}");
    assert!(!message.contains("listen.http"), "{message}");
}

#[test]
fn a_public_server_with_apps_has_no_demo_app() {
    let config = read(APP, &[], &public()).unwrap();
    assert_eq!(config.apps().unwrap().demo(), Demo::Absent);
}

#[test]
fn asking_for_the_demo_app_in_public_is_refused() {
    let message = refusal(read(&format!("demo = true\n{APP}"), &[], &public()));
    assert!(message.starts_with("demo = true, but listen.rtmp = 0.0.0.0:1935 can be reached"), "{message}");
    assert!(message.contains("[[apps]]"), "{message}");
}

#[test]
fn the_demo_app_can_be_turned_off_where_there_is_another() {
    assert_eq!(from_file(&format!("demo = false\n{APP}")).unwrap().apps().unwrap().demo(), Demo::Absent);
    assert!(refusal(from_file("demo = false")).starts_with("no app is configured and demo = false."));
}

#[test]
fn apps_that_contradict_each_other_are_refused() {
    assert_eq!(refusal(from_file(&format!("{APP}{APP}"))), "apps: app live is configured twice");
    assert_eq!(
        refusal(from_file(&APP.replace("live", "demo"))),
        "apps: the app id \"demo\" is reserved: choose another one"
    );
}

#[test]
fn an_app_is_open_or_has_secrets_and_not_both() {
    let open = "[[apps]]\nid = \"b1946ac92492d2347c6235b4d2611184\"\nopen = true\n";
    let config = from_file(open).unwrap();
    assert_eq!(config.apps().unwrap().open_apps().count(), 1);
    assert_eq!(from_file(&config.to_toml().unwrap()).unwrap().to_toml().unwrap(), config.to_toml().unwrap());
    assert_eq!(
        refusal(from_file(&format!("{APP}open = true\n"))),
        "apps: app live is open, so that its secrets protect nothing: take out one of the two"
    );
    let guessable = refusal(from_file(&open.replace("b1946ac92492d2347c6235b4d2611184", "myapp")));
    assert!(guessable.starts_with("apps: the id of an open app"), "{guessable}");
    assert_eq!(refusal(from_file("[[apps]]\nid = \"live\"\n")), "apps: app live has no secret");
    assert!(from_file(&format!("{APP}open = false\n")).unwrap().apps().unwrap().open_apps().next().is_none());
}

#[test]
fn no_message_and_no_print_shows_a_secret() {
    let config = from_file(APP).unwrap();
    let shown = config.to_toml().unwrap();
    assert!(shown.contains("[redacted]") && !shown.contains(SECRET), "{shown}");
    assert!(!format!("{config:?}").contains(SECRET));
    for text in [
        format!("admin = \"{SECRET}\""),
        format!("admin = {{ secret = [\"{SECRET}\"] }}"),
        format!("[[webhooks]]\nsecret = \"{SECRET}\"\nurl = \"nowhere?key={SECRET}\""),
        format!("[[webhooks]]\nsecret = \"{SECRET}\"\nurl = \"https://a/\"\nevents = [\"{SECRET}\"]"),
        format!("apps = \"{SECRET}\""),
        format!("apps = [\"{SECRET}\"]"),
        format!("[[apps]]\nid = \"live\"\nsecrets = \"{SECRET}\""),
        format!("[[apps]]\nid = \"live\"\nsecret = [\"{SECRET}\"]"),
        format!("[[apps]]\nid = \"live\"\nsecrets = [\"{SECRET}\"] x"),
        format!("[[apps]]\nid = \"live\"\nsecrets = [\"{SECRET}"),
        format!("[limits]\nmax_streams = \"{SECRET}\""),
    ] {
        let error = from_file(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
    let error = from_variable("QUEQIAO_APPS", SECRET).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

#[test]
fn admin_secret_and_webhooks_come_from_file_or_environment_and_are_never_shown() {
    let text = format!(
        "[[webhooks]]\nurl = \"https://example.com/hooks?key={SECRET}\"\nsecret = \"{SECRET}\"\n\
         apps = [\"live\"]\nevents = [\"room_created\"]\n"
    );
    let config = read(&text, &[("QUEQIAO_ADMIN__SECRET", SECRET)], &Flags::default()).unwrap();
    assert_eq!(config.admin.secret, Some(SECRET.parse().unwrap()));
    assert_eq!(config.webhooks[0].url.uri().query(), Some("key=4f1c9a0b7de2583c61d0a8e3"));
    let shown = config.to_toml().unwrap();
    assert!(shown.contains("url = \"https://example.com/hooks\"") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains(SECRET) && !format!("{config:?}").contains(SECRET), "{shown}");
    let hooks = format!("[{{ url = 'http://a', secret = '{SECRET}' }}]");
    assert!(from_variable("QUEQIAO_WEBHOOKS", &hooks).unwrap().webhooks[0].events.is_empty());
}

#[test]
fn what_is_shown_can_be_read_back() {
    let text = Config::default().to_toml().unwrap();
    assert_eq!(from_file(&text).unwrap().to_toml().unwrap(), text);
}

#[test]
fn the_example_file_is_valid_and_holds_the_defaults() {
    let text = include_str!("../../queqiao.example.toml");
    let example = from_file(text).unwrap();
    assert_eq!(example.to_toml().unwrap(), Config::default().to_toml().unwrap());
    let enabled =
        text.replace("# [[apps]]", "[[apps]]").replace("# id =", "id =").replace("# secrets =", "secrets =");
    assert!(refusal(from_file(&enabled)).ends_with("this secret is a placeholder or easy to guess"));
}

#[test]
fn every_key_and_its_default_is_documented() {
    let document = include_str!("../../docs/configuration.md");
    let text = Config::default().to_toml().unwrap();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) =
            line.split_once(" = ").filter(|(key, _)| !["apps", "webhooks"].contains(key))
        {
            let row = format!("| `{section}{key}` | `{value}` |");
            assert!(document.contains(&row), "docs/configuration.md has no row that begins with {row}");
        }
    }
}
