//! What stands in a queue: whatever it is, it is read or refused, and names nothing to run.
#![no_main]

use crystalgym_evaluation::QueuedCalculation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(calculation) = QueuedCalculation::from_text(text) else {
        return;
    };
    assert_eq!(calculation.calculator, calculation.calculator.without_machine());
    let family = calculation.calculator.pseudopotentials.as_deref();
    assert!(!family.is_some_and(|name| name.contains('/')));
    if calculation.elements.len() <= 64
        && let Ok(skeleton) = calculation.to_skeleton()
    {
        let _ = calculation.to_crystal(&skeleton);
    }
});
