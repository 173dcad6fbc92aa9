//! Figures in Prometheus' text format, as some node sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolforge_exposition::{samples, write_sample};

fuzz_target!(|text: &str| {
    for sample in samples(text).flatten() {
        let labels: Vec<(&str, &str)> = sample.labels().collect();
        let mut line = String::new();
        write_sample(&mut line, sample.name, &labels, sample.value, sample.at_ms);
        let again = samples(&line).next().expect("a line").expect("a figure");
        assert_eq!(again.name, sample.name);
        assert_eq!(again.labels().collect::<Vec<_>>(), labels);
        assert_eq!(again.at_ms, sample.at_ms);
    }
});
