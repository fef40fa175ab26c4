{ for (i = 1; i <= NF; i++) n[length($i)]++ }
END { for (k = 1; k < 40; k++) if (n[k]) printf "%d:%d ", k, n[k]; print NR " lines" }
