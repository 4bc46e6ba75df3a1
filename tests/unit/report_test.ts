import { assertEquals } from "../assert.ts";
import { EMPTY, parseReport, summary, total } from "../report.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="2" errors="1" time="0.017">
    <testsuite name="./tests/unit/a_test.ts" tests="5" disabled="1" errors="0" failures="2">
        <testcase name="a &lt;x&gt; is fine" classname="./a_test.ts" time="0.000" line="1" col="6">
        </testcase>
        <testcase name="a ignored" classname="./a_test.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="a steps" classname="./a_test.ts" time="0.002" line="4" col="6">
            <failure message="1 test step failed">&lt;/testcase&gt; 1 test step failed.</failure>
        </testcase>
        <testcase name="a steps &gt; s1" classname="./a_test.ts" time="0.000" line="4" col="45">
        </testcase>
        <testcase name="a steps &gt; s3" classname="./a_test.ts" time="0.000" line="4" col="123">
            <failure message="Uncaught Error: z">Error: z</failure>
        </testcase>
    </testsuite>
    <testsuite name="./tests/b_test.ts" tests="1" disabled="0" errors="1" failures="0">
        <testcase name="b" classname="./b_test.ts" time="0.000" line="2" col="6">
            <error message="Cancelled"/>
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("parseReport counts tests, not their steps, and names what failed", () => {
  assertEquals(parseReport(REPORT), {
    counts: { passed: 1, failed: 2, skipped: 1 },
    failed: ["tests/unit/a_test.ts: a steps", "tests/b_test.ts: b"],
    files: ["tests/unit/a_test.ts", "tests/b_test.ts"],
  });
});

Deno.test("parseReport of a report without tests is empty", () => {
  assertEquals(parseReport("<testsuites></testsuites>").counts, EMPTY);
});

Deno.test("summary names skipped tests only when there are some", () => {
  assertEquals(summary({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  const counts = total({ passed: 1, failed: 1, skipped: 1 }, { passed: 1, failed: 0, skipped: 0 });
  assertEquals(summary(counts), "2 passed, 1 failed, 1 skipped");
});
