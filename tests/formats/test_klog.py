"""klog: level, thread and place are taken off the body and can be asked for."""


def test_the_header_is_taken_off(read):
    one = read(
        'E1120 13:45:02.123456    7 server.go:9] "Failed" pod="a/b" err="x y"\nI1120 13:45:03.1 12 a.go:1] 5 ok'
    )

    assert one.formats == {"klog"}
    assert one.severities == [17, 9]
    assert one.templates[1] == "<*> ok"
    assert one.found("thread:7 AND file:server.go AND line:9 AND pod:a/b") == [0]
