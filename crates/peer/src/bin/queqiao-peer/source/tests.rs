use super::*;

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match name {
        "aac.flv" => root.join("../media/tests/fixtures/baseline_aac48k_mono.flv"),
        other => root.join("tests/fixtures").join(other),
    }
}

/// Everything of a file: times in milliseconds, and the pictures.
struct All {
    pictures: Vec<AccessUnit>,
    sounds: Vec<OpusPacket>,
}

fn all(name: &str) -> All {
    let mut source = open(fixture(name), false).unwrap();
    assert_eq!(source.found, Found { audio: true, video: true }, "{name}");
    let pictures = thread::spawn(move || std::iter::from_fn(|| source.video.blocking_recv()).collect());
    let sounds = std::iter::from_fn(|| source.audio.blocking_recv()).collect();
    let pictures = pictures.join().unwrap();
    source.end.blocking_recv().unwrap().unwrap();
    All { pictures, sounds }
}

#[test]
fn every_container_yields_the_same_pictures_at_the_same_times() {
    let expected = all("aac.flv");
    assert_eq!(expected.pictures.len(), 30);
    for name in ["aac.mp4", "aac.mkv", "opus.mp4", "opus.mkv"] {
        let read = all(name);
        assert_eq!(read.pictures.len(), 30, "{name}");
        for (ours, theirs) in read.pictures.iter().zip(&expected.pictures) {
            assert_eq!((ours.keyframe, &ours.nals), (theirs.keyframe, &theirs.nals), "{name}");
            assert_eq!(ours.params, theirs.params, "{name}");
            let apart = (ours.pts - theirs.pts).get().abs();
            assert!(apart <= 25_000, "{name}: {} us apart", apart);
        }
    }
}

#[test]
fn sound_is_opus_without_gaps_whatever_the_file_has() {
    for name in ["aac.flv", "aac.mp4", "aac.mkv", "opus.mp4", "opus.mkv"] {
        let sounds = all(name).sounds;
        assert!(sounds.len() >= 95, "{name}: {} packets of two seconds", sounds.len());
        for pair in sounds.windows(2) {
            let [one, two] = pair else { continue };
            let info = PacketInfo::parse(&one.data).unwrap();
            let step: StreamTime = AudioTicks::new(info.samples.into()).rescale();
            let gap = (two.time - one.time - step).get().abs();
            assert!(gap <= 2_000, "{name}: {gap} us between packets");
        }
    }
}

#[test]
fn a_file_that_is_repeated_goes_on_in_time() {
    let mut source = open(fixture("aac.mkv"), true).unwrap();
    let drain = thread::spawn(move || {
        let mut last = StreamTime::new(-1_000_000);
        while let Some(packet) = source.audio.blocking_recv() {
            assert!(packet.time > last, "{:?} after {last:?}", packet.time);
            last = packet.time;
        }
        assert!(last > StreamTime::new(5_000_000), "more than two rounds: {last:?}");
        source.end
    });
    let times: Vec<StreamTime> =
        std::iter::from_fn(|| source.video.blocking_recv()).take(80).map(|picture| picture.dts).collect();
    assert_eq!(times.len(), 80);
    assert!(times.is_sorted_by(|one, two| one < two), "{times:?}");
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest.get() < 200_000, "{longest:?} between two pictures");
    drop(source.video);
    drain.join().unwrap().blocking_recv().unwrap().unwrap();
}

#[test]
fn what_is_no_film_is_refused() {
    let readme = fixture("README.md");
    let refused = open(readme.clone(), false).map(|_| ()).unwrap_err();
    assert!(refused.downcast_ref::<FileFault>().is_some());
    assert!(format!("{refused:#}").contains("neither MP4 nor FLV nor Matroska"), "{refused:#}");
    assert!(open(readme.with_file_name("missing"), false).is_err());
}

#[test]
fn a_file_that_is_cut_short_ends_with_an_error_or_early_and_never_hangs() {
    for name in ["aac.mp4", "aac.mkv", "opus.mp4"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in [9, 100, whole.len() / 2, whole.len() - 1] {
            let path = std::env::temp_dir().join(format!("queqiao-peer-{:x}-{name}", rand::random::<u64>()));
            std::fs::write(&path, &whole[..length]).unwrap();
            if let Ok(mut source) = open(path.clone(), false) {
                let pictures =
                    thread::spawn(move || std::iter::from_fn(|| source.video.blocking_recv()).count());
                let sounds = std::iter::from_fn(|| source.audio.blocking_recv()).count();
                assert!(pictures.join().unwrap() <= 30 && sounds <= 110, "{name}");
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}
