"""What is offered is fixed by who starts the server, and an agent is told the way among exactly that."""

import pytest

from logpith.answer import TOKEN_BYTES
from logpith.server.mcp import definition
from logpith.server.toolsets import choose_tools, instructions
from logpith.tools import tools
from logpith_emit.errors import BadArgument


def test_the_core_is_offered_unless_told_otherwise():
    assert list(choose_tools()) == sorted(name for name, tool in tools().items() if tool.toolset == "core")


@pytest.mark.parametrize(
    "names",
    ["log_overview,log_fetch", " fetch , overview ", "overview,log_fetch,,", "log-fetch,log-overview"],
)
def test_named_tools_are_offered_in_the_order_of_their_names(names):
    assert list(choose_tools("core", names)) == ["log_fetch", "log_overview"]


@pytest.mark.parametrize(
    ("toolsets", "names", "told"),
    [
        ("croe", "", "there is no toolset named 'croe'. Did you mean 'core'?"),
        ("core", "log_grp", "there is no tool named 'log_grp'. Did you mean 'grep'?"),
        (",", "", "no toolset is named. The toolsets are "),
        ("core", " , ", "no tool is named. The tools are "),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(toolsets, names, told):
    with pytest.raises(BadArgument) as refused:
        choose_tools(toolsets, names)

    assert str(refused.value).startswith(told)


def test_instructions_name_every_offered_tool_and_no_other():
    for offered in (tools(), choose_tools("core", "fetch"), choose_tools("core", "overview,grep")):
        told = instructions(offered)

        assert {name for name in tools() if name in told} == set(offered)
        assert len(told.split()) <= 120


def test_a_tool_without_a_route_of_its_own_is_named_all_the_same():
    offered = {"log_unheard_of": next(iter(tools().values()))}

    assert "Also log_unheard_of." in instructions(offered)


def test_definitions_cost_an_agent_little():
    def tokens(offered):
        told = (
            definition(tool).model_dump_json(exclude_none=True, by_alias=True) for tool in offered.values()
        )
        return sum(map(len, told)) / TOKEN_BYTES

    assert tokens(choose_tools("core")) <= 2_000
    assert tokens(choose_tools("aggregate")) <= 1_500
    assert tokens(tools()) <= 6_000
