//! The shape of the command line.

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_documented_form_is_understood() {
    for line in [
        "serve --config server.properties",
        "serve --config server.properties --set num.partitions=3 --set broker.rack=",
        "dev",
        "dev --brokers 1 --data-dir /tmp/x --port 19092 --topic a --topic b:3 --topic c:3:1 --set log.retention.ms=-1",
        "health live",
        "health ready --http 10.0.0.1:9404",
        "health startup --http :9404",
    ] {
        let words = ["milena-broker"].into_iter().chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
    for line in [
        "",
        "serve",
        "serve --config f --set novalue",
        "serve --config f --set =v",
        "dev --topic a:0",
        "health",
        "health up",
    ] {
        let words = ["milena-broker"].into_iter().chain(line.split_terminator(' '));
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
}

#[test]
fn a_set_value_may_hold_equals_signs() {
    assert_eq!(parse_set("a = b=c "), Ok(("a".to_owned(), "b=c".to_owned())));
}
