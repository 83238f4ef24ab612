use super::*;

fn assert_sound(report: &Report, name: &str) {
    let faults: Vec<_> = report.faults.iter().map(|fault| (fault.failure.to_string(), &fault.path)).collect();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

#[test]
fn the_corpus_has_inputs_for_every_target_and_none_fails() {
    corpus::check_names().unwrap();
    for target in TARGETS {
        let entries = corpus::load(&corpus::corpus_dir(target)).unwrap();
        assert!(!entries.is_empty() || !(target.seeds)().is_empty(), "{} has no inputs", target.name);
        for entry in entries {
            if let Err(failure) = engine::replay(target, &entry.input) {
                panic!("{}: {failure}", entry.path.display());
            }
        }
    }
}

#[test]
fn a_short_run_of_every_target_finds_no_fault() {
    for target in TARGETS {
        let report = engine::fuzz(target, Until::Cases(target.short), 1).unwrap();
        assert_eq!(report.cases, target.short);
        assert_sound(&report, target.name);
    }
}
